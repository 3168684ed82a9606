package jobs

import (
	"strings"

	"jobgate/gateway/jobdoc/s3host"
)

// Names formats and parses the ARNs of one region and account (AWS.md §5).
type Names struct {
	Region  string // "us-east-1"
	Account string // twelve digits
}

// JobARN returns the ARN of a job.
func (n Names) JobARN(id string) string { return n.arn(n.Account, KindJob, id) }

// ThingARN returns the ARN of a thing.
func (n Names) ThingARN(name string) string { return n.arn(n.Account, KindThing, name) }

// GroupARN returns the ARN of a thing group.
func (n Names) GroupARN(name string) string { return n.arn(n.Account, KindGroup, name) }

// TemplateARN returns the ARN of a job template.
func (n Names) TemplateARN(id string) string { return n.arn(n.Account, KindTemplate, id) }

// ManagedTemplateARN returns the ARN of one of AWS's templates, which belong to no account.
func (n Names) ManagedTemplateARN(name, version string) string {
	return n.arn("", KindTemplate, name+":"+version)
}

// TargetARN returns the ARN of a target.
func (n Names) TargetARN(t Target) string {
	if t.Group {
		return n.GroupARN(t.Name)
	}
	return n.ThingARN(t.Name)
}

func (n Names) arn(account string, kind ResourceKind, name string) string {
	return "arn:" + n.partition() + ":iot:" + n.Region + ":" + account + ":" + string(kind) + "/" + name
}

func (n Names) partition() string {
	name, _ := s3host.PartitionOf(n.Region)
	return name
}

// Named is a parsed ARN.
type Named struct {
	Resource
	Managed bool // no account: one of AWS's templates; its name is followed by a colon and the version
}

// Parse parses an ARN of this region and account.
func (n Names) Parse(arn string) (Named, error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iot" {
		return Named{}, Errorf(ErrInvalidRequest, "Invalid ARN: %s", arn)
	}
	kind, name, ok := strings.Cut(parts[5], "/")
	if !ok || name == "" {
		return Named{}, Errorf(ErrInvalidRequest, "Invalid ARN: %s", arn)
	}
	managed := parts[4] == "" && kind == string(KindTemplate)
	if parts[1] != n.partition() || parts[3] != n.Region || (parts[4] != n.Account && !managed) {
		return Named{}, Errorf(ErrInvalidRequest, "ARN is of another partition, region or account: %s", arn)
	}
	return Named{Resource{ResourceKind(kind), name}, managed}, nil
}

// Targets parses the targets of a job.
func (n Names) Targets(arns []string) ([]Target, error) {
	if len(arns) == 0 || len(arns) > MaxTargets {
		return nil, Errorf(ErrInvalidRequest, "A job has 1 to %d targets, not %d.", MaxTargets, len(arns))
	}
	targets := make([]Target, 0, len(arns))
	seen := make(map[Target]bool, len(arns))
	for _, arn := range arns {
		r, err := n.Parse(arn)
		if err != nil {
			return nil, err
		}
		if r.Kind != KindThing && r.Kind != KindGroup {
			return nil, Errorf(ErrInvalidRequest, "Target is neither a thing nor a thing group: %s", arn)
		}
		t := Target{Group: r.Kind == KindGroup, Name: r.Name}
		if !seen[t] {
			seen[t] = true
			targets = append(targets, t)
		}
	}
	return targets, nil
}

// MaxTargets is how many targets a job may have (AWS.md §3).
const MaxTargets = 100
