# SPDX-License-Identifier: GPL-2.0-or-later
# fish completion for dmremap-restore(8), made from its option table; changes here are lost.
complete -c dmremap-restore -s n -l dry-run -d 'Only tell what would be written'
complete -c dmremap-restore -l force -d 'Write to spares that do not match or hold other content, and above a newer generation'
complete -c dmremap-restore -l undo-dir -x -a '(__fish_complete_directories)' -d 'Where the undo journal goes'
complete -c dmremap-restore -l no-undo -d 'Keep no undo journal'
complete -c dmremap-restore -l json -d 'Print one JSON document on standard output, and never ask'
complete -c dmremap-restore -l quiet -s q -d 'Print results and errors only: no remarks, no progress'
complete -c dmremap-restore -l verbose -s v -d 'Say more'
complete -c dmremap-restore -l no-color -d 'No colours'
complete -c dmremap-restore -l help -s h -d 'Show this help and end'
complete -c dmremap-restore -l version -s V -d 'Show the version and end'
