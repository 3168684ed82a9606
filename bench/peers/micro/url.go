package micro

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
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"jobgate/bench/peers/account"
	"jobgate/bench/peers/setup"
	"jobgate/presigner"
)

// URL compares presigners: each URL is for a new key, with a 900-byte session token.
func URL(ctx context.Context, o *setup.Options) error {
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
	signer, err := presigner.NewSigner(presigner.Credentials{AccessKeyID: account.AccessKeyID, SecretAccessKey: account.SecretKey, SessionToken: account.Session})
	if err != nil {
		return nil, err
	}
	target := presigner.Object{Scheme: "https", Host: account.URLHost, Region: account.Region, Bucket: account.BucketName, Style: presigner.PathStyle, Key: "k"}.Target()
	return func(b *testing.B) {
		b.ReportAllocs()
		now := time.Now()
		var url, path []byte
		for i := range b.N {
			path = strconv.AppendInt(append(path[:0], "/"+account.BucketName+"/images/"...), int64(i), 10)
			if url, err = signer.AppendURL(url[:0], &presigner.Request{Target: &target, Path: path, Expires: account.Lifetime, Time: now}); err != nil {
				b.Fatal(err)
			}
		}
	}, nil
}

// leastWork hashes the bytes of a canonical request and computes the HMAC of a string to sign.
func leastWork(b *testing.B) {
	b.ReportAllocs()
	canonical := make([]byte, len(account.Session)+400)
	mac := hmac.New(sha256.New, []byte(account.SecretKey))
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
	creds := aws.Credentials{AccessKeyID: account.AccessKeyID, SecretAccessKey: account.SecretKey, SessionToken: account.Session}
	now := time.Now()
	for i := range b.N {
		req, err := http.NewRequest(http.MethodGet, "https://"+account.URLHost+"/"+account.BucketName+"/images/"+strconv.Itoa(i)+"?X-Amz-Expires=3600", nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := signer.PresignHTTP(context.Background(), creds, req, "UNSIGNED-PAYLOAD", "s3", account.Region, now); err != nil {
			b.Fatal(err)
		}
	}
}

func presignClientURL(b *testing.B) {
	b.ReportAllocs()
	client := s3.NewPresignClient(account.NewS3())
	for i := range b.N {
		in := &s3.GetObjectInput{Bucket: aws.String(account.BucketName), Key: aws.String("images/" + strconv.Itoa(i))}
		if _, err := client.PresignGetObject(context.Background(), in, s3.WithPresignExpires(account.Lifetime)); err != nil {
			b.Fatal(err)
		}
	}
}

func minioURL() (func(b *testing.B), error) {
	client, err := minio.New(account.URLHost, &minio.Options{Creds: credentials.NewStaticV4(account.AccessKeyID, account.SecretKey, account.Session), Secure: true, Region: account.Region, BucketLookup: minio.BucketLookupPath})
	if err != nil {
		return nil, fmt.Errorf("cannot create minio-go's client: %w", err)
	}
	return func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if _, err := client.PresignedGetObject(context.Background(), account.BucketName, "images/"+strconv.Itoa(i), account.Lifetime, nil); err != nil {
				b.Fatal(err)
			}
		}
	}, nil
}
