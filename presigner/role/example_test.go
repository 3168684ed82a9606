package role_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"jobgate/presigner"
	"jobgate/presigner/role"
)

// The gateway's own credentials sign a URL. A role listed by name and ARN would be used in
// the same way.
func Example() {
	set, err := role.New(role.Options{
		AWS: aws.Config{ // config.LoadDefaultConfig, in a program
			Region:      "us-east-1",
			Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""),
		},
		Roles: []role.Config{{Name: "", Expires: time.Hour}},
	})
	if err != nil {
		log.Fatal(err)
	}
	set.Start(context.Background())
	defer set.Close()

	own, _ := set.Role("")
	session, err := own.Wait(context.Background()) // later: own.Session(), which never waits
	if err != nil {
		log.Fatal(err)
	}
	now := set.Now()
	expires, _, err := own.Lifetime(session, 15*time.Minute, now)
	if err != nil {
		log.Fatal(err)
	}
	object := presigner.Object{
		Scheme: "https", Host: "s3.us-east-1.amazonaws.com", Region: "us-east-1",
		Bucket: "firmware", Style: presigner.PathStyle, Key: "v7.bin",
	}
	url, err := session.Signer.URL(object, presigner.GET, expires, now)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(url[:50], expires)
	// Output: https://s3.us-east-1.amazonaws.com/firmware/v7.bin 15m0s
}
