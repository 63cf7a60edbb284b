# SPDX-License-Identifier: GPL-2.0-or-later
# fish completion for dmremap-dump(8), made from its option table; changes here are lost.
complete -c dmremap-dump -l json -d 'Print one JSON document on standard output, and never ask'
complete -c dmremap-dump -l quiet -s q -d 'Print results and errors only: no remarks, no progress'
complete -c dmremap-dump -l verbose -s v -d 'Say more'
complete -c dmremap-dump -l no-color -d 'No colours'
complete -c dmremap-dump -l help -s h -d 'Show this help and end'
complete -c dmremap-dump -l version -s V -d 'Show the version and end'
