#!/usr/bin/env bash
# Deploys one version of a job and lets release-watcher judge it.
#
#   release.sh JOB VERSION -- COMMAND…     as in: release.sh import 2.4.1 -- ansible-playbook deploy.yml
#
# Exit code: 0 passed · 1 failed and rolled back · 2 failed, a person must act · 3 inconclusive · 4 replaced by a newer
# release or cancelled · 124 no verdict in time; the command's own code if the deployment itself failed.
# `watcher release exec` does the same in one line; this is for scripts that do more between the steps.
set -euo pipefail

if [ $# -lt 4 ] || [ "$3" != -- ]; then
    echo "usage: ${0##*/} JOB VERSION -- COMMAND…" >&2
    exit 64
fi
job=$1 version=$2
shift 3

# Before anything is touched: the backup runs, the rollback is checked, what is normal for the job is read.
id=$(watcher release start "$job" --version "$version" --reason "${RELEASE_REASON:-by ${0##*/}}" --prepare)

code=0
"$@" || code=$?
if [ "$code" -ne 0 ]; then
    watcher release cancel "$id" --reason "the deployment failed with exit code $code"
    exit "$code"
fi

watcher release deployed "$id" >/dev/null # from here on the clock runs

watcher release wait "$id" --timeout "${RELEASE_TIMEOUT:-1h}" || code=$?
case $code in
    0) echo "$job $version: passed" ;;
    1) echo "$job $version: failed, and was rolled back" >&2 ;;
    2) echo "$job $version: failed, and waits for a person: watcher release show $id" >&2 ;;
    3) echo "$job $version: nobody can say whether it works: watcher release show $id" >&2 ;;
    4) echo "$job $version: a newer release took its place, or it was cancelled" >&2 ;;
    *) echo "$job $version: no verdict (exit code $code); it is still watched" >&2 ;;
esac
[ "$code" -eq 124 ] || watcher release note "$id" || echo "the note is not written yet" >&2
exit "$code"
