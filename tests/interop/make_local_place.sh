# Make the repositories for test_local_commands.py beside the trees that it made.
# Usage: make_local_place.sh COMMAND
ostree=$1
umask 022

for mode in archive bare bare-user bare-user-only; do
    on="--repo=$mode"
    "$ostree" init "$on" --mode=$mode
    "$ostree" config "$on" set core.fsync false
    "$ostree" commit "$on" -b main -s "First commit" --timestamp=@1700000000 tree
    "$ostree" commit "$on" -b main -s "Second commit" -m "$(printf 'Line one\n\nLine two\n.')" \
        --add-metadata-string=version=1.1 --add-metadata='n=uint32 5' \
        --add-metadata="d={'x': <[int64 1, 2]>}" --add-metadata='b=[byte 1, 0xff]' \
        --add-metadata="bs=b'text'" --add-metadata=f=1.5 --add-metadata='eb=@ay []' \
        --add-metadata="t=('é', true, @ms nothing)" --add-detached-metadata-string=key=value \
        --timestamp=@1700050000 tree2
    "$ostree" commit "$on" -b main --timestamp=@1700100000 --canonical-permissions tree2
    "$ostree" commit "$on" -b odd -s "odd 'names'" --timestamp=@1700000001 odd
done > /dev/null

on=--repo=archive
"$ostree" commit "$on" -b deep/er/ref -s sizes --timestamp=@1700000000 --generate-sizes tree
parent=1111111111111111111111111111111111111111111111111111111111111111
"$ostree" commit "$on" -b lost -s "ünïcode" --parent=$parent --timestamp=@1700000000 tree
"$ostree" commit "$on" -b far -s "no date" --timestamp=@99999999999999 tree
"$ostree" refs "$on" --create=origin:remote/x main
"$ostree" refs "$on" --create=origin:y main^
"$ostree" refs "$on" --create=zremote:y main
"$ostree" refs "$on" --create=zremote:only main^^
"$ostree" refs "$on" -A --create=alias/to main
"$ostree" refs "$on" --create=é/ü main
"$ostree" refs "$on" -c --create=org.other.C:m/x main^
cp archive/refs/heads/main archive/refs/heads/beef
touch archive/refs/heads/.hidden archive/refs/heads/deep/bad+name
"$ostree" remote "$on" add --no-gpg-verify origin http://localhost/
"$ostree" remote "$on" add --no-gpg-verify --collection-id=org.zr.C zremote http://localhost/z

cp -a archive coll
"$ostree" config --repo=coll set core.collection-id org.example.Own
