#!/usr/bin/env bash
# Run the AWS CLI's read commands against the simulator, in both Regions.
#
#   cli_reads.sh http://127.0.0.1:PORT
#
# Needs `aws` (or AWS_CLI=/path/to/aws), `curl` and `python3`. Each command must succeed, and
# where the simulator must have something its list must not be empty. Prints one line per
# command; exit status 1 if any of them was wrong.
set -u -o pipefail

endpoint=${1:?usage: cli_reads.sh http://127.0.0.1:PORT}
case $endpoint in
    http://127.0.0.1:[0-9]* | http://localhost:[0-9]*) ;;
    *) echo "cli_reads.sh: $endpoint is not http://127.0.0.1:PORT" >&2; exit 1 ;;
esac
primary=ap-south-1
recovery=ap-south-2
aws=${AWS_CLI:-aws}

# Nothing of the caller's AWS or proxy configuration.
for name in $(compgen -e | grep -E '^(AWS_|(HTTPS?|ALL)_PROXY$|(https?|all)_proxy$)'); do
    unset "$name"
done
export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=not-a-secret
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
export AWS_EC2_METADATA_DISABLED=true AWS_MAX_ATTEMPTS=1 AWS_PAGER=
errors=$(mktemp) || exit 1
trap 'rm -f "$errors"' EXIT

wrong=0
ran=0

call() { # region, arguments...
    local region=$1
    shift
    "$aws" --endpoint-url "$endpoint" --region "$region" --output json \
        --cli-connect-timeout 2 --cli-read-timeout 30 "$@" 2>"$errors"
}

fail() {
    printf 'WRONG  %s\n' "$1"
    sed 's/^/       /' "$errors"
    wrong=$((wrong + 1))
}

# read_list must|may REGION KEY SERVICE OPERATION [ARGUMENTS...]
# The number of items under KEY in the answer is left in $count.
read_list() {
    local must=$1 region=$2 key=$3 answer
    shift 3
    local name="$region $1 $2"
    ran=$((ran + 1))
    count=0
    if ! answer=$(call "$region" "$@"); then
        fail "$name failed"
        return
    fi
    if ! count=$(printf '%s' "$answer" | python3 -c \
        'import json, sys; print(len(json.load(sys.stdin)[sys.argv[1]]))' "$key" 2>"$errors"); then
        count=0
        fail "$name: no $key in the answer"
    elif [ "$must" = must ] && [ "$count" -eq 0 ]; then
        fail "$name: $key is empty"
    else
        printf 'ok     %s: %s %s\n' "$name" "$count" "$key"
    fi
}

# The simulator's present, from the header that every answer carries.
now=$(curl --noproxy '*' --max-time 10 -sS -o /dev/null -D - "$endpoint/_sim/clock" 2>"$errors" |
    tr -d '\r' | sed -n 's/^[Xx]-[Pp]ointsman-[Ss]im: *\([^;]*\);.*$/\1/p')
if [ -z "$now" ]; then
    echo "cli_reads.sh: no x-pointsman-sim in the answer: this is not the simulator" >&2
    cat "$errors" >&2
    exit 1
fi
three_hours_ago=$(python3 -c '
import datetime, sys
now = datetime.datetime.fromisoformat(sys.argv[1])
print((now - datetime.timedelta(hours=3)).isoformat())' "$now") || exit 1

alarms=0
for region in "$primary" "$recovery"; do
    # Jobs live where they were started, and copies start where the original is.
    at_home=may
    vault=bank-hyd
    if [ "$region" = "$primary" ]; then
        at_home=must
        vault=bank-mum
    fi

    ran=$((ran + 1))
    if account=$(call "$region" sts get-caller-identity --query Account --output text) &&
        [[ $account =~ ^[0-9]{12}$ ]]; then
        printf 'ok     %s sts get-caller-identity: %s\n' "$region" "$account"
    else
        fail "$region sts get-caller-identity: ${account:-no answer}"
    fi

    read_list "$at_home" "$region" BackupJobs backup list-backup-jobs
    read_list "$at_home" "$region" CopyJobs backup list-copy-jobs
    read_list must "$region" RecoveryPoints backup list-recovery-points-by-backup-vault \
        --backup-vault-name "$vault"
    read_list must "$region" GlobalClusters rds describe-global-clusters
    read_list "$at_home" "$region" DBInstances rds describe-db-instances
    read_list must "$region" Metrics cloudwatch list-metrics
    read_list may "$region" MetricAlarms cloudwatch describe-alarms
    alarms=$((alarms + count))

    # Up to a hundred of the metrics just listed; one of them must have a value.
    ran=$((ran + 1))
    name="$region cloudwatch get-metric-data"
    if ! queries=$(call "$region" cloudwatch list-metrics | python3 -c '
import json, sys
keys = ("Namespace", "MetricName", "Dimensions")
print(json.dumps([
    {"Id": f"m{i}", "MetricStat": {"Metric": {k: m.get(k, []) for k in keys},
                                   "Period": 60, "Stat": "Maximum"}}
    for i, m in enumerate(json.load(sys.stdin)["Metrics"][:100])]))' 2>>"$errors"); then
        fail "$name: no metrics to ask for"
    elif ! values=$(call "$region" cloudwatch get-metric-data --metric-data-queries "$queries" \
        --start-time "$three_hours_ago" --end-time "$now" \
        --query 'sum(MetricDataResults[].length(Values))' --output text); then
        fail "$name failed"
    elif [ "${values%.*}" -eq 0 ]; then
        fail "$name: no values"
    else
        printf 'ok     %s: %s values\n' "$name" "${values%.*}"
    fi

    read_list must "$region" HostedZones route53 list-hosted-zones
    zone=$(call "$region" route53 list-hosted-zones --query 'HostedZones[0].Id' --output text)
    read_list must "$region" ResourceRecordSets route53 list-resource-record-sets \
        --hosted-zone-id "$zone"
    read_list must "$region" HealthChecks route53 list-health-checks
done

if [ "$alarms" -eq 0 ]; then
    : >"$errors"
    fail "describe-alarms: no alarm in either Region"
fi
printf '%s commands, %s wrong\n' "$ran" "$wrong"
[ "$wrong" -eq 0 ]
