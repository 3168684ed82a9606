// Package check tests the Helm chart beside it. It lints the chart by helm's rules, and renders it with a change of every
// value. Each object is validated strictly against the schemas of Kubernetes and of the Prometheus operator, and each
// jobgate.yaml with jobgate check. The package has only tests. It is a separate module because of helm's dependencies.
package check
