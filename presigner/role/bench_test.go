package role

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// The cost of a request's session, compared with the SDK's credentials cache, which a
// v4.Signer or PresignClient asks for each URL.
func BenchmarkSession(b *testing.B) {
	r := bare(b, (&fakeSTS{}).options(Config{Name: "a", ARN: arn("a"), Expires: time.Hour}))
	r.session.Store(session(b, time.Now().Add(2*time.Hour)))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		now := r.set.Now()
		for pb.Next() {
			if granted, _, err := r.Lifetime(r.Session(), time.Hour, now); granted != time.Hour || err != nil {
				b.Fatal(granted, err)
			}
		}
	})
}

func BenchmarkSession_AWSSDK(b *testing.B) {
	static := credentials.NewStaticCredentialsProvider("ASIA", "s", "t")
	cache := aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		c, err := static.Retrieve(ctx)
		c.CanExpire, c.Expires = true, time.Now().Add(2*time.Hour)
		return c, err
	}))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := cache.Retrieve(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
