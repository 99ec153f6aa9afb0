# Makes what test_pull_commands.py pulls from and into, in the current directory. $1 is the command,
# $2 the URL of www/.
o=$1
url=$2
key=$3
when='2024-01-0'
commit() { # REPO BRANCH TREE DAY [WORD...]
    repo=$1 branch=$2 tree=$3 day=$4
    shift 4
    $o commit --repo=$repo -b $branch --tree=dir=$tree --timestamp="$when$day 00:00:00 +0000" \
        --owner-uid=0 --owner-gid=0 --no-xattrs -s "on day $day" "$@"
}
history() { # REPO
    commit $1 main tree1 1
    commit $1 main tree2 2
    commit $1 main tree3 3
    commit $1 other tree1 4
    commit $1 deep/er/branch tree2 5
    commit $1 old tree1 1 --orphan
    commit $1 free tree1 1 --no-bindings
}
make() { # REPO MODE [WORD...]
    repo=$1 mode=$2
    shift 2
    $o init --repo=$repo --mode=$mode "$@"
    $o config --repo=$repo set core.fsync false
}

mkdir www
for repo in plain summary signed; do make www/$repo archive; done
history www/plain > commits
cp -a www/plain/. www/summary
$o summary -u --repo=www/summary

# Old: the summary knows neither the newest commit nor all branches.
cp -a www/plain www/stale
$o refs --repo=www/stale --delete other
$o reset --repo=www/stale main main^
$o summary -u --repo=www/stale
commit www/stale main tree3 6
commit www/stale other tree3 6

commit www/signed main tree1 1
commit www/signed main tree2 2 --gpg-homedir=$key --gpg-sign=7FCA23D8472CDAFA
commit www/signed main tree3 3 --gpg-homedir=$key --gpg-sign=7FCA23D8472CDAFA
commit www/signed bad tree3 3 --gpg-homedir=$key --gpg-sign=D8228CFECA950D41
commit www/signed unsigned tree3 3
$o summary -u --repo=www/signed --gpg-homedir=$key --gpg-sign=7FCA23D8472CDAFA

# From a delta: main^ to main and other from nothing; indexed has them in an index, too.
cp -a www/plain www/deltas
$o static-delta generate --repo=www/deltas main
$o static-delta generate --repo=www/deltas --empty other
cp -a www/deltas www/hidden
$o summary -u --repo=www/deltas
cp -a www/deltas www/indexed
$o static-delta reindex --repo=www/indexed
$o config --repo=www/indexed set core.no-deltas-in-summary true
$o summary -u --repo=www/indexed

# Tombstones: the first commit of main is gone.
cp -a www/plain www/tomb
$o config --repo=www/tomb set core.tombstone-commits true
$o prune --repo=www/tomb --keep-younger-than='2024-01-01 12:00:00 +0000'
$o refs --repo=www/tomb --delete old free
$o prune --repo=www/tomb --refs-only --depth=1
$o summary -u --repo=www/tomb
cp -a www/tomb www/quiet
rm www/quiet/summary

make www/coll archive --collection-id=org.example.Main
history www/coll
$o summary -u --repo=www/coll
make www/both archive --collection-id=org.example.Both
commit www/both main tree1 7
$o remote add --repo=www/both --no-gpg-verify --collection-id=org.example.Main up $url/coll
$o pull --repo=www/both --mirror up main other
$o summary -u --repo=www/both
cp -a www/both www/bothbare
rm www/bothbare/summary

make www/damaged archive
history www/damaged
main=$($o rev-parse --repo=www/damaged main)
rm www/damaged/objects/$(echo $main | sed 's,^..,&/,').commit
free=$($o ls --repo=www/damaged -C other /firstfile | awk '{print $5}')
rm www/damaged/objects/$(echo $free | sed 's,^..,&/,').filez
printf '<!DOCTYPE html>\n<html>\n%s\n' 'a page that says at length that it is none' > www/damaged/refs/heads/html
echo rubbish > www/damaged/refs/heads/rubbish
printf '\377\376' > www/damaged/refs/heads/binary
printf '%s  \n\n' $($o rev-parse --repo=www/damaged old) > www/damaged/refs/heads/spaced

printf '%s\n' '# comment' "$url/nosuch" "$url/plain" > www/mirrors
echo "file://$PWD/www/plain" > www/localmirrors

# Summaries that are none, or one whose last byte is missing; a broken config.
for repo in garbled hollow cut; do cp -a www/summary www/$repo; done
echo 'hello, this is a page' > www/garbled/summary
: > www/hollow/summary
head -c -1 www/summary/summary > www/cut/summary
cp -a www/plain www/noconfig
echo '[core' > www/noconfig/config
cp -a www/signed www/unsigned
rm www/unsigned/summary.sig
cp -a www/signed www/fooled
cp www/summary/summary www/fooled/summary
cp -a www/signed www/strange
echo 'no signature' > www/strange/summary.sig

# Bent: objects that hold another's bytes.
object() { # REPO CHECKSUM.TYPE
    echo $1/objects/$(echo $2 | sed 's,^..,&/,')
}
bend() { # REPO ENDING PATH
    first=$($o ls --repo=$1 -C other /firstfile | awk '{print $5}')
    cow=$($o ls --repo=$1 -C other /baz/cow | awk '{print $5}')
    cat $(object $1 $first.$2) > bent
    cat bent > $(object $1 $cow.$2)
}
cp -a www/plain www/bent
bend www/bent filez
cp -a www/plain www/bentdir
root=$($o ls --repo=www/plain -dC other / | awk '{print $5}')
baz=$($o ls --repo=www/plain -dC other /baz | awk '{print $5}')
cat $(object www/plain $root.dirtree) > $(object www/bentdir $baz.dirtree)
make bentuser bare-user
$o pull-local --repo=bentuser www/plain
bend bentuser file

for mode in bare bare-user; do
    make www/$mode $mode
    $o pull-local --repo=www/$mode www/plain
    $o summary -u --repo=www/$mode
done
make buo bare-user-only
commit buo main tree1 1 --canonical-permissions
commit buo main tree3 3 --canonical-permissions
make modes bare-user
commit modes main tree4 1
make www/world archive
$o pull-local --repo=www/world modes main
$o pull-local --repo=www/world www/plain other

make partial bare-user
$o remote add --repo=partial --no-gpg-verify plain $url/plain
$o pull --repo=partial --commit-metadata-only plain main
$o pull --repo=partial --subpath=/baz plain other
make cache archive
$o pull-local --repo=cache www/plain $($o rev-parse --repo=www/plain main^)
make child archive
$o config --repo=child set core.parent $PWD/www/plain

make heir bare-user
$o config --repo=heir set core.parent $PWD/partial
make auto archive
$o config --repo=auto set core.auto-update-summary true
$o remote add --repo=auto --no-gpg-verify summary $url/summary
$o remote add --repo=auto --no-gpg-verify signed $url/signed

$o init --repo=c --mode=bare-user
for remote in plain summary stale signed deltas hidden indexed tomb quiet coll both bothbare \
    damaged garbled hollow cut noconfig unsigned fooled strange bent bentdir bare bare-user world; do
    $o remote add --repo=c --no-gpg-verify $remote $url/$remote
done
$o remote add --repo=c --gpg-import=$key/key1.asc verified $url/signed
$o remote add --repo=c --gpg-import=$key/key1.asc --set=gpg-verify-summary=true strict $url/signed
$o remote add --repo=c --set=gpg-verify-summary=true --no-gpg-verify nosig $url/summary
$o remote add --repo=c --set=gpg-verify-summary=true --no-gpg-verify nosummary $url/plain
$o remote add --repo=c --no-gpg-verify branches $url/summary main other
$o remote add --repo=c --no-gpg-verify --collection-id=org.example.Main ofmain $url/coll
$o remote add --repo=c --no-gpg-verify --collection-id=org.example.Else ofelse $url/coll
$o remote add --repo=c --no-gpg-verify --collection-id=org.example.Else unbound $url/plain
$o remote add --repo=c --no-gpg-verify --contenturl=$url/plain apart $url/summary
$o remote add --repo=c --no-gpg-verify local file://$PWD/www/plain
$o remote add --repo=c --no-gpg-verify locals file://$PWD/www/summary
$o remote add --repo=c --no-gpg-verify localcoll file://$PWD/www/both
$o remote add --repo=c --no-gpg-verify localtomb file://$PWD/www/tomb
$o remote add --repo=c --no-gpg-verify --set=unconfigured-state='go away' away $url/plain
$o remote add --repo=c --no-gpg-verify --custom-backend=magic custom $url/plain
$o remote add --repo=c --no-gpg-verify mirrors mirrorlist=$url/mirrors
$o remote add --repo=c --no-gpg-verify localmirrors mirrorlist=$url/localmirrors
$o remote add --repo=c --no-gpg-verify oldbranches $url/plain main other
$o remote add --repo=c --no-gpg-verify collbranches $url/both main
$o remote add --repo=c --no-gpg-verify localbranches file://$PWD/www/plain main
$o remote add --repo=c --no-gpg-verify --collection-id=org.example.Both ofboth $url/both
$o remote add --repo=c --no-gpg-verify --set=gpg-verify-summary=true localunsigned file://$PWD/www/summary
$o remote add --repo=c --gpg-import=$key/key1.asc --set=gpg-verify-summary=true localstrict file://$PWD/www/signed
$o remote add --repo=c --no-gpg-verify slash $url/plain/
$o remote add --repo=c --no-gpg-verify slashes $url//plain//
$o remote add --repo=c --no-gpg-verify --contenturl=$url/nosuch nocontent $url/plain
$o remote add --repo=c --no-gpg-verify --contenturl=mirrorlist=$url/mirrors listed $url/summary
$o remote add --repo=c --no-gpg-verify --contenturl=file://$PWD/www/plain filed $url/summary
$o remote add --repo=c --set=gpgkeypath=$key/key1.asc keyed $url/signed
$o remote add --repo=c --set=gpgkeypath=$key/key2.asc keyed2 $url/signed
$o remote add --repo=c --no-gpg-verify notfile file://$PWD/www/nosuch
$o remote add --repo=c --no-gpg-verify localhost file://localhost$PWD/www/plain
$o remote add --repo=c --no-gpg-verify encoded file://$PWD/%77ww/plain
for remote in unsigned fooled strange; do
    $o remote add --repo=c --gpg-import=$key/key1.asc --set=gpg-verify-summary=true strict-$remote $url/$remote
done
$o remote add --repo=c --no-gpg-verify nowhere http://127.0.0.1:1/
$o remote add --repo=c --no-gpg-verify nopath $url/nosuch
for pair in ca:archive-z2 cb:bare co:bare-user-only; do
    repo=${pair%%:*}
    cp -a c $repo
    $o config --repo=$repo set core.mode ${pair##*:}
done
touch -d '2024-02-01 00:00:00 +0000' www/*/summary www/*/summary.sig
