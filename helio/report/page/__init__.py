"""Pages for the browser: one file each that shows everything without a network.

`document` is the shell (title, sections, style, light and dark), `figures` puts matplotlib figures into it with links
to their files, `viewer` a 3D view that plays frames, `picture` a still of it. They know nothing of runs: in go figures,
tables, and scenes of elements, bonds, positions in A and cells (row vectors, A); out come pieces of HTML. The scripts
and the style beside the modules are put into the page, with the scripts' hashes in its security policy.
"""
