// Package account is the AWS account of all comparisons: the credentials and objects of every signer. They are examples and
// give access to nothing.
package account

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Session is the session token of all signers: 900 bytes, about as long as STS's tokens.
var Session = "IQoJb3JpZ2luX2VjE" + strings.Repeat("AbCdEfGhIjKlMnOpQrStUvWxYz0123456789+/", 24)[:881] + "=="

// The credentials of all signers. They are examples and give access to nothing.
const (
	AccessKeyID = "ASIAIOSFODNN7EXAMPLE"
	SecretKey   = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	Region      = "us-east-1"
	BucketName  = "firmware"
)

// The host and lifetime of all URLs.
const (
	URLHost  = "s3.us-east-1.amazonaws.com"
	Lifetime = time.Hour
)

// Environment returns jobgate's environment with these credentials.
func Environment() []string {
	return append(os.Environ(),
		"AWS_ACCESS_KEY_ID="+AccessKeyID, "AWS_SECRET_ACCESS_KEY="+SecretKey, "AWS_SESSION_TOKEN="+Session, "AWS_REGION="+Region,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
}

// AssumeRole answers like STS's AssumeRole, with the credentials of all signers.
func AssumeRole(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/xml")
	_, _ = fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>`+
		`<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration>`+
		`</Credentials></AssumeRoleResult></AssumeRoleResponse>`,
		AccessKeyID, SecretKey, Session, time.Now().Add(12*time.Hour).UTC().Format(time.RFC3339)) // jobgate retries if the write fails
}

// NewS3 returns the SDK's client with the credentials of all signers.
func NewS3() *s3.Client {
	return s3.New(s3.Options{
		Region: Region, UsePathStyle: true,
		Credentials: aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider(AccessKeyID, SecretKey, Session)),
	})
}
