# SPDX-License-Identifier: GPL-2.0-or-later
# fish completion for dmremap-undo(8), made from its option table; changes here are lost.
complete -c dmremap-undo -s n -l dry-run -d 'Only tell what would be put back'
complete -c dmremap-undo -l force -d 'Put the old bytes back even where something has changed since, or cannot be read now'
complete -c dmremap-undo -l json -d 'Print one JSON document on standard output, and never ask'
complete -c dmremap-undo -l quiet -s q -d 'Print results and errors only: no remarks, no progress'
complete -c dmremap-undo -l verbose -s v -d 'Say more'
complete -c dmremap-undo -l no-color -d 'No colours'
complete -c dmremap-undo -l help -s h -d 'Show this help and end'
complete -c dmremap-undo -l version -s V -d 'Show the version and end'
