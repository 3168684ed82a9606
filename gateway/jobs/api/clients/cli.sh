#!/usr/bin/env bash
# Runs a job from its creation to its deletion with the AWS CLI, as an operator and as a device; see run.sh for the
# environment.
set -euo pipefail

aws=${JOBGATE_AWS_CLI:-/usr/bin/aws}
run=cli-$$-$(date +%s)
export AWS_PAGER="" AWS_MAX_ATTEMPTS=1 AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
errors=$(mktemp)
download=$(mktemp)
trap 'rm -f "$errors" "$download"' EXIT

iot() { "$aws" iot --endpoint-url "$JOBGATE_ENDPOINT" --output text "$@"; }
device() { "$aws" iot-jobs-data --endpoint-url "$JOBGATE_ENDPOINT" --output text "$@"; }

# is WHAT GOT WANT fails if GOT is not WANT.
is() {
	if [ "$2" != "$3" ]; then
		printf 'cli: %s is "%s", want "%s"\n' "$1" "$2" "$3" >&2
		exit 1
	fi
}

# fails EXCEPTION COMMAND... runs a command that must fail with this AWS exception.
fails() {
	local exception=$1
	shift
	if "$@" >/dev/null 2>"$errors"; then
		printf 'cli: "%s" succeeded, want %s\n' "$*" "$exception" >&2
		exit 1
	fi
	if ! grep -q "An error occurred ($exception)" "$errors"; then
		printf 'cli: "%s" failed, but not with %s:\n%s\n' "$*" "$exception" "$(cat "$errors")" >&2
		exit 1
	fi
}

document='{"operation":"reboot"}'
presign=()
if [ -n "${JOBGATE_ROLE_ARN:-}" ]; then
	document='{"url":"${aws:iot:s3-presigned-url-v2:'$JOBGATE_OBJECT_URL'}"}'
	presign=(--presigned-url-config "roleArn=$JOBGATE_ROLE_ARN,expiresInSec=300")
fi

# Things and groups.
is endpoint "$(iot describe-endpoint --endpoint-type iot:Jobs --query 'endpointAddress != null')" True
arn=$(iot create-thing --thing-name "$run:1" --attribute-payload 'attributes={rev=7}' --query thingArn)
iot create-thing --thing-name "$run:2" >/dev/null
is attributes "$(iot describe-thing --thing-name "$run:1" --query attributes.rev)" 7
is things "$(iot list-things --attribute-name rev --attribute-value 7 --query "things[?thingName=='$run:1'].thingArn")" "$arn"
group=$(iot create-thing-group --thing-group-name "$run" --thing-group-properties 'thingGroupDescription=of the test' --query thingGroupArn)
iot create-thing-group --thing-group-name "$run-leaf" --parent-group-name "$run" >/dev/null
iot add-thing-to-thing-group --thing-name "$run:1" --thing-group-name "$run"
iot update-thing-groups-for-thing --thing-name "$run:2" --thing-groups-to-add "$run-leaf"
is members "$(iot list-things-in-thing-group --thing-group-name "$run" --recursive --query 'length(things)')" 2
is groups "$(iot list-thing-groups-for-thing --thing-name "$run:2" --query 'thingGroups[0].groupName')" "$run-leaf"
is parent "$(iot describe-thing-group --thing-group-name "$run-leaf" --query thingGroupMetadata.parentGroupName)" "$run"
is children "$(iot list-thing-groups --parent-group "$run" --query 'thingGroups[].groupName')" "$run-leaf"
fails InvalidRequestException iot create-dynamic-thing-group --thing-group-name "$run-dynamic" --query-string '*'
fails ResourceNotFoundException iot describe-thing --thing-name "$run-none"
fails ResourceAlreadyExistsException iot create-thing --thing-name "$run:1" --thing-type-name other
fails VersionConflictException iot delete-thing --thing-name "$run:1" --expected-version 9

# A job for the group, and its device.
iot create-job --job-id "$run" --targets "$group" --document "$document" "${presign[@]}" --description first --tags Key=site,Value=a \
	--timeout-config inProgressTimeoutInMinutes=60 --job-executions-rollout-config maximumPerMinute=1000 >/dev/null
fails ResourceAlreadyExistsException iot create-job --job-id "$run" --targets "$group" --document '{}'
fails ResourceNotFoundException iot create-job --job-id "$run-x" --targets "$arn-none" --document '{}'
fails InvalidRequestException iot create-job --job-id "$run-x" --targets "$arn" --document '{}' --presigned-url-config roleArn=arn:aws:iam::123456789012:role/not-listed
is status "$(iot describe-job --job-id "$run" --query job.status)" IN_PROGRESS
is document "$(iot get-job-document --job-id "$run" --query document)" "$document"
is queued "$(iot describe-job --job-id "$run" --query job.jobProcessDetails.numberOfQueuedThings)" 2
is listed "$(iot list-jobs --status IN_PROGRESS --thing-group-name "$run" --query 'jobs[].jobId')" "$run"
is executions "$(iot list-job-executions-for-job --job-id "$run" --status QUEUED --query 'length(executionSummaries)')" 2
is pages "$(iot list-job-executions-for-job --job-id "$run" --page-size 1 --query 'length(executionSummaries)' | paste -sd+ | bc)" 2
is 'of the thing' "$(iot list-job-executions-for-thing --thing-name "$run:1" --query 'executionSummaries[].jobId')" "$run"

is pending "$(device get-pending-job-executions --thing-name "$run:1" --query 'queuedJobs[].jobId')" "$run"
is next "$(device describe-job-execution --thing-name "$run:1" --job-id '$next' --query execution.status)" QUEUED
is started "$(device start-next-pending-job-execution --thing-name "$run:1" --status-details step=download --query execution.status)" IN_PROGRESS
url=$(device describe-job-execution --thing-name "$run:1" --job-id "$run" --query execution.jobDocument)
if [ -n "${JOBGATE_ROLE_ARN:-}" ]; then
	case $url in *X-Amz-Expires=300*X-Amz-Signature=*) ;; *) echo "cli: the document is not signed" >&2; exit 1 ;; esac
	if [ -n "${JOBGATE_OBJECT_SHA256:-}" ]; then
		url=${url#*\"url\":\"}
		status=$(curl -sS --retry 3 --retry-max-time 20 -o "$download" -w '%{http_code}' "${url%%\"*}")
		[ "$status" = 200 ] || { printf 'cli: the download got status %s: %s\n' "$status" "$(head -c 500 "$download")" >&2; exit 1; }
		is download "$(sha256sum <"$download" | cut -d' ' -f1)" "$JOBGATE_OBJECT_SHA256"
	fi
else
	is jobDocument "$url" "$document"
fi
is details "$(iot describe-job-execution --thing-name "$run:1" --job-id "$run" --query execution.statusDetails.detailsMap.step)" download
fails InvalidStateTransitionException device update-job-execution --thing-name "$run:1" --job-id "$run" --status SUCCEEDED --expected-version 9
fails InvalidRequestException device update-job-execution --thing-name "$run:1" --job-id "$run" --status DONE
fails InvalidStateTransitionException iot cancel-job-execution --thing-name "$run:1" --job-id "$run"
fails VersionConflictException iot cancel-job-execution --thing-name "$run:1" --job-id "$run" --force --expected-version 9
is succeeded "$(device update-job-execution --thing-name "$run:1" --job-id "$run" --status SUCCEEDED --expected-version 2 --include-job-execution-state --query executionState.status)" SUCCEEDED
fails TerminalStateException device describe-job-execution --thing-name "$run:1" --job-id "$run"
fails InvalidStateTransitionException device update-job-execution --thing-name "$run:1" --job-id "$run" --status FAILED
fails ResourceNotFoundException device describe-job-execution --thing-name "$run:1" --job-id "$run-none"
is 'nothing next' "$(device describe-job-execution --thing-name "$run:1" --job-id '$next' --query 'execution == null')" True

# The operator's changes.
iot update-job --job-id "$run" --description second
is description "$(iot describe-job --job-id "$run" --query job.description)" second
fails InvalidStateTransitionException iot delete-job --job-id "$run"
iot cancel-job-execution --thing-name "$run:2" --job-id "$run"
is canceled "$(iot describe-job-execution --thing-name "$run:2" --job-id "$run" --query execution.status)" CANCELED
is completed "$(iot describe-job --job-id "$run" --query job.status)" COMPLETED
job=$(iot describe-job --job-id "$run" --query job.jobArn)
iot tag-resource --resource-arn "$job" --tags Key=stage,Value=b
iot untag-resource --resource-arn "$job" --tag-keys site
is tags "$(iot list-tags-for-resource --resource-arn "$job" --query 'tags[].[Key,Value]' | tr '\t' =)" stage=b
iot delete-job-execution --thing-name "$run:2" --job-id "$run" --execution-number 1
iot delete-job --job-id "$run"
fails ResourceNotFoundException iot describe-job --job-id "$run"

# A continuous job: it gets another target, and is canceled.
iot create-job --job-id "$run-c" --targets "$group" --target-selection CONTINUOUS --document '{}' >/dev/null
iot associate-targets-with-job --job-id "$run-c" --targets "$arn" >/dev/null
iot remove-thing-from-thing-group --thing-name "$run:1" --thing-group-name "$run"
iot cancel-job --job-id "$run-c" --reason-code TEST --comment 'no longer' --force >/dev/null
is reason "$(iot describe-job --job-id "$run-c" --query job.reasonCode)" TEST
iot delete-job --job-id "$run-c" --force

# Templates: the operator's own and AWS managed ones.
template=$(iot create-job-template --job-template-id "$run" --description 'of the test' --document '{"from":"template"}' --query jobTemplateArn)
fails ConflictException iot create-job-template --job-template-id "$run" --description again --document '{}'
is template "$(iot describe-job-template --job-template-id "$run" --query document)" '{"from":"template"}'
is templates "$(iot list-job-templates --query "jobTemplates[?jobTemplateId=='$run'].description")" 'of the test'
iot create-job --job-id "$run-t" --targets "$arn" --job-template-arn "$template" >/dev/null
is 'from template' "$(iot get-job-document --job-id "$run-t" --query document)" '{"from":"template"}'
iot delete-job --job-id "$run-t" --force
iot delete-job-template --job-template-id "$run"
is managed "$(iot list-managed-job-templates --query 'length(managedJobTemplates)')" 8
managed=$(iot describe-managed-job-template --template-name AWS-Download-File --query templateArn)
iot create-job --job-id "$run-m" --targets "$arn" --job-template-arn "$managed" \
	--document-parameters downloadUrl=https://example.com/x,filePath=/tmp/x >/dev/null
fails InvalidRequestException iot create-job --job-id "$run-n" --targets "$arn" --job-template-arn "$managed" --document-parameters filePath=/tmp/x
iot delete-job --job-id "$run-m" --force

# Requests with wrong credentials or a wrong region.
AWS_SECRET_ACCESS_KEY=wrong fails InvalidSignatureException iot list-jobs
AWS_ACCESS_KEY_ID=AKIAUNKNOWN fails UnrecognizedClientException iot list-jobs
AWS_REGION=eu-west-3 AWS_DEFAULT_REGION=eu-west-3 fails InvalidSignatureException iot list-jobs

iot delete-thing --thing-name "$run:1"
iot delete-thing --thing-name "$run:2"
iot delete-thing-group --thing-group-name "$run-leaf"
iot delete-thing-group --thing-group-name "$run"
echo "cli: $("$aws" --version 2>&1 | cut -d' ' -f1): ok, with every exception by its name"
