# This is the folder of a configured server, which runs: its irgw.toml and every file that it names.
irgw dev
cd irgw-dev
