// Package check proves the Helm chart beside it: linted by helm's own rules, rendered with every value turned, each object held
// against the schemas of Kubernetes and of the Prometheus operator with no unknown field let by, and each jobgate.yaml
// against jobgate check. The tests are all there is; the module is one of its own for what helm brings along.
package check
