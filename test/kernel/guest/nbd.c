// SPDX-License-Identifier: GPL-2.0-or-later
// Disks that the guest's own kernel fetches from the host over the network block device protocol. Between the host and a
// disk of the emulator's there is the emulator, which turns a write with FUA into a write and a flush of everything, or
// drops the FUA; here it arrives as it was meant. Which disks there are, is in agent.c.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nbd.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nbd.h"

/* The network that the emulator makes up, and the host's address in it. */
#define GUEST "10.0.2.15"
#define MASK "255.255.255.0"
#define HOST "10.0.2.2"

#define OPTION_EXPORT_NAME 1

static struct sockaddr_in address(const char *text, uint16_t port)
{
	struct sockaddr_in made = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, text, &made.sin_addr);
	return made;
}

int network_up(void)
{
	struct sockaddr_in own = address(GUEST, 0), mask = address(MASK, 0);
	struct ifreq request = { .ifr_name = "eth0" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = 0;

	memcpy(&request.ifr_addr, &own, sizeof(own));
	if (ioctl(fd, SIOCSIFADDR, &request))
		error = errno;
	memcpy(&request.ifr_netmask, &mask, sizeof(mask));
	if (!error && ioctl(fd, SIOCSIFNETMASK, &request))
		error = errno;
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	if (!error && ioctl(fd, SIOCSIFFLAGS, &request))
		error = errno;
	close(fd);
	return error;
}

static int transfer(int fd, void *bytes, size_t length, ssize_t (*step)(int fd, void *at, size_t left))
{
	for (size_t done = 0; done < length;) {
		ssize_t count = step(fd, (char *)bytes + done, length - done);

		if (count <= 0)
			return count ? errno : ECONNRESET;
		done += count;
	}
	return 0;
}

static ssize_t send_some(int fd, void *at, size_t left)
{
	return write(fd, at, left);
}

static ssize_t receive_some(int fd, void *at, size_t left)
{
	return read(fd, at, left);
}

/* Asks for an export in the old way, which has the shortest answer: its size and its flags. */
static int negotiate(int fd, const char *name, uint64_t *size, uint16_t *flags)
{
	char hello[18];
	struct __attribute__((packed)) {
		uint32_t flags;
		char magic[8];
		uint32_t option, length;
	} ask = { htobe32(3), "", htobe32(OPTION_EXPORT_NAME), htobe32(strlen(name)) };
	struct __attribute__((packed)) {
		uint64_t size;
		uint16_t flags;
	} answer;
	int error = transfer(fd, hello, sizeof(hello), receive_some);

	memcpy(ask.magic, "IHAVEOPT", sizeof(ask.magic));
	if (!error)
		error = transfer(fd, &ask, sizeof(ask), send_some);
	if (!error)
		error = transfer(fd, (void *)name, strlen(name), send_some);
	if (!error)
		error = transfer(fd, &answer, sizeof(answer), receive_some);
	*size = be64toh(answer.size);
	*flags = be16toh(answer.flags);
	return error;
}

/* The kernel serves the device for as long as this call takes: as long as the guest lives. */
static void *serve(void *argument)
{
	int device = (int)(intptr_t)argument;

	ioctl(device, NBD_DO_IT);
	return NULL;
}

int nbd_attach(const char *name, uint16_t port, unsigned int block, const char *node)
{
	struct sockaddr_in host = address(HOST, port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), device = open(node, O_RDWR | O_CLOEXEC);
	pthread_t thread;
	uint64_t size = 0;
	uint16_t flags = 0;
	int one = 1, error;

	if (fd < 0 || device < 0 || connect(fd, (struct sockaddr *)&host, sizeof(host)))
		return errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	error = negotiate(fd, name, &size, &flags);
	if (error)
		return error;
	if (ioctl(device, NBD_SET_BLKSIZE, (unsigned long)block) || ioctl(device, NBD_SET_SIZE_BLOCKS, size / block) ||
	    ioctl(device, NBD_SET_FLAGS, (unsigned long)flags) || ioctl(device, NBD_SET_SOCK, fd))
		return errno;
	if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)device))
		abort();
	pthread_detach(thread);
	return 0;
}
