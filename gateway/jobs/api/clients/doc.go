// Package clients runs AWS's own clients (run.sh) against the IoT Jobs API, with MinIO as the S3 and STS behind it. The
// URLs in devices' documents download the object, signed with a session of the job's role.
//
// Its tests need the build tag "clients".
package clients
