package source_test

import (
	"fmt"

	"jobgate/gateway/source"
)

func ExamplePattern() {
	variables := []string{"thingName", "jobId"}
	for _, text := range []string{"s3://job-documents/{jobId}.json", "https://docs.example.com/{thingName}?job={jobId}"} {
		p, err := source.ParsePattern(text, variables)
		if err != nil {
			fmt.Println(err)
			continue
		}
		u, err := p.AppendURL(nil, [][]byte{[]byte("thing-1"), []byte("rollout:7")})
		fmt.Println(string(u), err)
	}
	_, err := source.ParsePattern("s3://{thingName}/{jobId}.json", variables)
	fmt.Println(err)
	// Output:
	// s3://job-documents/rollout:7.json <nil>
	// https://docs.example.com/thing-1?job=rollout%3A7 <nil>
	// cannot use document "s3://{thingName}/{jobId}.json": a variable never stands in the bucket
}
