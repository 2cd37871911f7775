# `irgw dev` runs in this folder.
irgw dev
