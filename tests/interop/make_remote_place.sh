# Make the repositories for test_remote_commands.py in the current directory.
# Usage: make_remote_place.sh COMMAND URL
ostree=$1 url=$2
umask 022
commit() {
    at=$1
    shift
    "$ostree" commit --repo=$at --owner-uid=0 --owner-gid=0 --no-xattrs --no-bindings "$@" > /dev/null
}
fill() {
    commit $1 -b main -s one --timestamp=@1700000000 --add-metadata-string=version=1.0 tree
    commit $1 -b main -s two --timestamp=@1700050000 --add-metadata-string=version=2.0 tree2
    commit $1 -b dev/x -s dev --timestamp=@1700000001 tree
    commit $1 -b far --timestamp=@99999999999999 tree
    commit $1 -b numbered --timestamp=@1700000000 --add-metadata='version=uint32 5' tree
}

# a: refs of all kinds, no summary; some remotes
"$ostree" init --repo=a --mode=archive
"$ostree" config --repo=a set core.fsync false
fill a
"$ostree" refs --repo=a -A --create=alias main
"$ostree" refs --repo=a --create=é/ü main
"$ostree" refs --repo=a --create=origin:theirs main
"$ostree" refs --repo=a -c --create=org.other.C:m/x main^
"$ostree" refs --repo=a -c --create=org.other.A:zz dev/x
"$ostree" remote --repo=a add --no-gpg-verify origin http://localhost/
"$ostree" remote --repo=a add --no-gpg-verify zz metalink=http://localhost/m b1 b2
"$ostree" remote --repo=a add --custom-backend=rpm cb
"$ostree" remote --repo=a add --collection-id=org.other.C col http://localhost/c
"$ostree" refs --repo=a --create=col:main main
"$ostree" refs --repo=a --create=col:m/x main

# coll: the same with a collection; deltas: with static deltas; empty: nothing
cp -a a coll
"$ostree" config --repo=coll set core.collection-id org.example.Own
cp -a a deltas
"$ostree" static-delta --repo=deltas generate --empty --to=main > /dev/null
"$ostree" static-delta --repo=deltas generate --from=main^ --to=main > /dev/null
"$ostree" static-delta --repo=deltas generate --empty --to=dev/x > /dev/null
rm -rf deltas/delta-indexes deltas/summary
"$ostree" init --repo=empty --mode=bare-user
"$ostree" config --repo=empty set core.fsync false

# child: has remotes of its own, and those of its parent
"$ostree" init --repo=parent --mode=bare-user
"$ostree" remote --repo=parent add both http://localhost/parent --set=proxy=http://p
"$ostree" remote --repo=parent add above http://localhost/above pb --collection-id=org.above.A
"$ostree" init --repo=child --mode=bare-user
"$ostree" config --repo=child set core.parent "$PWD/parent"
"$ostree" config --repo=child set core.fsync false
"$ostree" remote --repo=child add both http://localhost/child
"$ostree" remote --repo=child add own http://localhost/own --collection-id=org.own.O
commit child -b main --timestamp=@1700000000 tree

# phys, soft: sysroots, physical and not
for root in phys soft; do
    mkdir $root
    "$ostree" admin init-fs $root
    mkdir -p $root/etc/ostree/remotes.d/dir.conf
    printf '[remote "r1"]\nurl=http://localhost/r1\n' > $root/etc/ostree/remotes.d/r1.conf
    printf '[core]\nx=1\n[remote "r2"]\nurl=http://localhost/r2\n[remote "r3"]\n' > two
    mv two $root/etc/ostree/remotes.d/two.conf
    printf '[remote "no"]\n' > $root/etc/ostree/remotes.d/notes.txt
    printf '[remote "linked"]\nurl=http://localhost/linked\n' > $root/etc/ostree/elsewhere
    ln -s ../elsewhere $root/etc/ostree/remotes.d/linked.conf
    ln -s nosuch $root/etc/ostree/remotes.d/dangling.conf
    "$ostree" remote --repo=$root/ostree/repo add inconf http://localhost/inconf
done
mkdir soft/sysroot
# broken: with a file that cannot be parsed
cp -a soft broken
printf 'junk\n' > broken/etc/ostree/remotes.d/junk.conf

# www: what the server has
mkdir -p www
cp -a deltas www/plain
"$ostree" summary --repo=www/plain -u -m foo="'bar'" -m n='uint64 1'
cp -a coll www/coll
SOURCE_DATE_EPOCH=1700000000 "$ostree" summary --repo=www/coll -u
cp -a a www/signed
"$ostree" summary --repo=www/signed -u --gpg-homedir=$GPG_HOME_OF_TEST --gpg-sign=7FCA23D8472CDAFA
cp -a a www/none
mkdir www/junk www/halfsig
printf 'no summary' > www/junk/summary
cp www/plain/summary www/plain/config www/halfsig
cp www/signed/summary.sig www/halfsig
touch -d @1700000000 www/*/summary www/*/summary.sig
printf '# mirrors\nhttp://127.0.0.1:1/x\n%s/plain\nftp://x/y\n' $url > www/list
printf '# none\n' > www/emptylist
size=$(stat -c %s www/plain/summary)
sum=$(sha256sum www/plain/summary | cut -d' ' -f1)
metalink() {
    printf '<metalink><files><file name="summary"><size>%s</size><verification>' $1
    printf '<hash type="sha256">%s</hash></verification><resources>' $2
    for at in http://127.0.0.1:1/summary $url/plain/summary; do
        printf '<url protocol="http" type="http" location="US" preference="1">%s</url>' $at
    done
    printf '</resources></file></files></metalink>'
}
metalink $size $sum > www/m.xml
metalink 7 $sum > www/badsize.xml
metalink $size $(printf %064d 0) > www/badsum.xml

# client: asks the server
"$ostree" init --repo=client --mode=bare-user-only
"$ostree" config --repo=client set core.fsync false
add() {
    "$ostree" remote --repo=client add --no-gpg-verify "$@"
}
for name in plain coll signed none junk halfsig; do
    add $name $url/$name
    add f-$name file://$PWD/www/$name
done
add gz $url/gz/plain
add gzsigned $url/gz/signed
add bare $url/bare/signed
add slash $url/signed//
add query "$url/signed?x=y"
add list mirrorlist=$url/list
add nolist mirrorlist=$url/nosuchlist
add emptylist mirrorlist=$url/emptylist
add ml metalink=$url/m.xml
add noml metalink=$url/nosuch.xml
add badsize metalink=$url/badsize.xml
add badsum metalink=$url/badsum.xml
add junkml metalink=$url/plain/summary
add gone file:///nonexistent/repo
add relative www/plain
add ftp ftp://user:secret@localhost/x
add cert $url/plain --set=tls-client-cert-path=/x
add verified $url/signed --set=gpg-verify-summary=true --gpg-import=key1.asc > /dev/null
add badbool $url/signed --set=gpg-verify-summary=maybe
add untrusted $url/signed --set=gpg-verify-summary=true --gpg-import=key2.asc > /dev/null
add unsigned $url/plain --set=gpg-verify-summary=true --gpg-import=key1.asc > /dev/null
add nosummary $url/none --set=gpg-verify-summary=true --gpg-import=key1.asc > /dev/null
add vhalf $url/halfsig --set=gpg-verify-summary=true --gpg-import=key1.asc > /dev/null
add fverified file://$PWD/www/signed --set=gpg-verify-summary=true --gpg-import=key1.asc > /dev/null
mkdir cache
