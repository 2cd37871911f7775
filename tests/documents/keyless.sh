# This is the folder of a configured server that has no keys of file transfer yet.
irgw dev
cd irgw-dev
rm -r keys keys.passphrase
