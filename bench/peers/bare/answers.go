package bare

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/valyala/fasthttp"

	"jobgate/bench/peers/account"
)

// The headers of all answers.
const (
	contentType  = "application/json"
	cacheControl = "no-store" // as in jobgate's answers
)

// CutPlaceholder returns the text before and after the document's placeholder.
func CutPlaceholder(document []byte) (before, after []byte) {
	i := bytes.Index(document, []byte("${aws:iot:"))
	j := i + bytes.IndexByte(document[i:], '}') + 1
	return document[:i], document[j:]
}

func headFast(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.SetContentType(contentType)
	ctx.Response.Header.Set("Cache-Control", cacheControl)
}

func answerNet(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", cacheControl)
	_, _ = w.Write(body) // if it fails, the load counts an error
}

// constant always answers with the same bytes.
func constant(body []byte) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		headFast(ctx)
		ctx.SetBody(body)
	}
}

// hashing answers with body, with its signature replaced: per request, it hashes as many
// bytes as a canonical request has and computes one HMAC of a string to sign. This is
// the least work for a signed URL per device.
func hashing(body []byte) fasthttp.RequestHandler {
	canonical := bytes.Repeat([]byte("x"), len(body))
	// On one core, the handler runs one request at a time, so its state needs no pool.
	mac := hmac.New(sha256.New, []byte(account.SecretKey))
	at := bytes.LastIndex(body, []byte("X-Amz-Signature=")) + len("X-Amz-Signature=")
	toSign := make([]byte, 0, 256)
	return func(ctx *fasthttp.RequestCtx) {
		headFast(ctx)
		copy(canonical, ctx.Request.Header.RequestURI())
		hash := sha256.Sum256(canonical)
		toSign = append(toSign[:0], "AWS4-HMAC-SHA256\n20260101T000000Z\n20260101/us-east-1/s3/aws4_request\n"...)
		toSign = hex.AppendEncode(toSign, hash[:])
		mac.Reset()
		mac.Write(toSign)
		sum := mac.Sum(toSign[:0])
		out := ctx.Response.SwapBody(nil)[:0]
		out = append(out, body[:at]...)
		out = hex.AppendEncode(out, sum)
		out = append(out, body[at+2*sha256.Size:]...)
		ctx.Response.SwapBody(out)
	}
}

// signing signs with the SDK's signer in its fastest form: no client, no middleware,
// one signer for all requests.
func signing(before, after []byte) fasthttp.RequestHandler {
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	creds := aws.Credentials{AccessKeyID: account.AccessKeyID, SecretAccessKey: account.SecretKey, SessionToken: account.Session}
	query := fmt.Sprintf("?X-Amz-Expires=%d", int(account.Lifetime.Seconds()))
	return func(ctx *fasthttp.RequestCtx) {
		req, err := http.NewRequest(http.MethodGet, "https://"+account.URLHost+"/"+account.BucketName+"/"+string(deviceKey(ctx.Path()))+query, nil)
		if err != nil {
			ctx.Error(err.Error(), fasthttp.StatusBadRequest)
			return
		}
		url, _, err := signer.PresignHTTP(ctx, creds, req, "UNSIGNED-PAYLOAD", "s3", account.Region, time.Now())
		if err != nil {
			ctx.Error(err.Error(), fasthttp.StatusInternalServerError)
			return
		}
		headFast(ctx)
		out := ctx.Response.SwapBody(nil)[:0]
		out = append(append(append(out, before...), url...), after...)
		ctx.Response.SwapBody(out)
	}
}

// deviceKey returns the object's key for a request's path: NAME/v7.bin for
// /things/NAME/document, and the same key for all other paths.
func deviceKey(path []byte) []byte {
	if rest, ok := bytes.CutPrefix(path, []byte("/things/")); ok {
		name, _, _ := bytes.Cut(rest, []byte("/"))
		return append(append([]byte(nil), name...), "/v7.bin"...)
	}
	return []byte("images/v7.bin")
}

// presigning signs with the SDK's presign client, as in its documentation.
func presigning(before, after []byte) http.HandlerFunc {
	client := s3.NewPresignClient(account.NewS3())
	return func(w http.ResponseWriter, r *http.Request) {
		signed, err := client.PresignGetObject(r.Context(), &s3.GetObjectInput{
			Bucket: aws.String(account.BucketName), Key: aws.String(string(deviceKey([]byte(r.URL.Path)))),
		}, s3.WithPresignExpires(account.Lifetime))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		var body strings.Builder
		body.Grow(len(before) + len(signed.URL) + len(after))
		body.Write(before)
		body.WriteString(signed.URL)
		body.Write(after)
		answerNet(w, []byte(body.String()))
	}
}
