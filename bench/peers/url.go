package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"jobgate/presigner"
)

// compareURL compares presigners: one URL for a key that was never signed before, with
// a 900-byte session token.
func compareURL(ctx context.Context, o *options) error {
	jobgate, err := jobgateURL()
	if err != nil {
		return err
	}
	minioURL, err := minioURL()
	if err != nil {
		return err
	}
	return measure(ctx, o, "One presigned URL", "A GET of a key that changes with each URL, with a 900-byte session token.", []*operation{
		{name: "jobgate presigner.AppendURL", reference: true, run: jobgate},
		{name: "the least there is to do: one SHA-256 of as many bytes, one HMAC", goal: 0.8, run: leastWork},
		{name: "aws-sdk-go-v2 v4.Signer", goal: 6, run: signerURL},
		{name: "minio-go PresignedGetObject", goal: 14, run: minioURL},
		{name: "aws-sdk-go-v2 s3.PresignClient", goal: 18, run: presignClientURL},
	})
}

func jobgateURL() (func(b *testing.B), error) {
	signer, err := presigner.NewSigner(presigner.Credentials{AccessKeyID: accessKeyID, SecretAccessKey: secretKey, SessionToken: session})
	if err != nil {
		return nil, err
	}
	target := presigner.Object{Scheme: "https", Host: urlHost, Region: region, Bucket: bucketName, Style: presigner.PathStyle, Key: "k"}.Target()
	return func(b *testing.B) {
		b.ReportAllocs()
		now := time.Now()
		var url, path []byte
		for i := range b.N {
			path = strconv.AppendInt(append(path[:0], "/"+bucketName+"/images/"...), int64(i), 10)
			if url, err = signer.AppendURL(url[:0], &presigner.Request{Target: &target, Path: path, Expires: lifetime, Time: now}); err != nil {
				b.Fatal(err)
			}
		}
	}, nil
}

// leastWork hashes a canonical request's bytes and authenticates a string to sign.
func leastWork(b *testing.B) {
	b.ReportAllocs()
	canonical := make([]byte, len(session)+400)
	mac := hmac.New(sha256.New, []byte(secretKey))
	toSign := make([]byte, 140)
	sum := make([]byte, 0, sha256.Size)
	for i := range b.N {
		canonical[i%len(canonical)]++
		hash := sha256.Sum256(canonical)
		copy(toSign, hash[:])
		mac.Reset()
		mac.Write(toSign)
		sum = mac.Sum(sum[:0])
	}
}

func signerURL(b *testing.B) {
	b.ReportAllocs()
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	creds := aws.Credentials{AccessKeyID: accessKeyID, SecretAccessKey: secretKey, SessionToken: session}
	now := time.Now()
	for i := range b.N {
		req, err := http.NewRequest(http.MethodGet, "https://"+urlHost+"/"+bucketName+"/images/"+strconv.Itoa(i)+"?X-Amz-Expires=3600", nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := signer.PresignHTTP(background, creds, req, "UNSIGNED-PAYLOAD", "s3", region, now); err != nil {
			b.Fatal(err)
		}
	}
}

func presignClientURL(b *testing.B) {
	b.ReportAllocs()
	client := s3.NewPresignClient(newS3())
	for i := range b.N {
		in := &s3.GetObjectInput{Bucket: aws.String(bucketName), Key: aws.String("images/" + strconv.Itoa(i))}
		if _, err := client.PresignGetObject(background, in, s3.WithPresignExpires(lifetime)); err != nil {
			b.Fatal(err)
		}
	}
}

func minioURL() (func(b *testing.B), error) {
	client, err := minio.New(urlHost, &minio.Options{Creds: credentials.NewStaticV4(accessKeyID, secretKey, session), Secure: true, Region: region, BucketLookup: minio.BucketLookupPath})
	if err != nil {
		return nil, fmt.Errorf("cannot make minio-go's client: %w", err)
	}
	return func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if _, err := client.PresignedGetObject(background, bucketName, "images/"+strconv.Itoa(i), lifetime, nil); err != nil {
				b.Fatal(err)
			}
		}
	}, nil
}
