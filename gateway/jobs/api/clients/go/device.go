package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// call makes one request to the data plane and decodes its answer. An error contains the exception and the body.
func call(ctx context.Context, method, path, body string, answer any) error {
	req, err := http.NewRequestWithContext(ctx, method, os.Getenv("JOBGATE_ENDPOINT")+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(body))
	keys := aws.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY")}
	if err := v4.NewSigner().SignHTTP(ctx, keys, req, hex.EncodeToString(digest[:]), "iot-jobs-data", os.Getenv("AWS_REGION"), time.Now()); err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%d %s: %s", res.StatusCode, res.Header.Get("X-Amzn-ErrorType"), text)
	}
	return json.Unmarshal(text, answer)
}
