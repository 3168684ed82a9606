module jobgate/gateway/console/browser

go 1.26.0

require (
	github.com/aws/aws-sdk-go-v2 v1.47.7
	github.com/chromedp/cdproto v0.159.0
	github.com/chromedp/chromedp v0.23.0
)

require github.com/aws/smithy-go v1.28.8 // indirect

require (
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	jobgate v0.0.0-00010101000000-000000000000
)

replace jobgate => ../../..
