package jobs

import "maps"

// The inputs and outputs of the control plane's operations (AWS.md §5), as plain values. Listings take a Page and return
// the cursor of the next page, "" at the end; the edge wraps cursors in tokens.

// NoVersion is an expected version that never matches. An expected version of 0 matches any.
const NoVersion = -1

// Settings are the configurations that CreateJob, CreateJobTemplate and UpdateJob share; nil is not given.
type Settings struct {
	Presign *PresignedURLConfig
	Rollout *RolloutConfig
	Abort   *AbortConfig
	Timeout *TimeoutConfig
	Retry   *RetryConfig
}

// CreateJobRequest is CreateJob's input.
type CreateJobRequest struct {
	ID                 string
	Targets            []string  // ARNs
	Selection          Selection // 0 = Snapshot
	Document           string
	DocumentSource     string
	DocumentParameters map[string]string // with a managed template only
	TemplateARN        string
	Description        string
	NamespaceID        string
	Scheduling         *SchedulingConfig
	PackageVersions    []string // refused when there are any: there is no software package catalog
	Tags               []Tag
	Settings
}

// JobRef identifies a job in answers.
type JobRef struct {
	ARN         string
	ID          string
	Description string
}

// JobDetail is DescribeJob's output.
type JobDetail struct {
	Job               *Job
	ARN               string
	TargetARNs        []string
	Counts            Counts   // jobProcessDetails
	ProcessingTargets []string // ARNs of targets that the rollout has not passed yet
	NextRollouts      []string // scheduledJobRollouts: the next seven, "YYYY-MM-DD HH:MM"
	Concurrent        bool     // executions are being rolled out or canceled
}

// JobSummary is an entry of ListJobs.
type JobSummary struct {
	Job     *Job
	ARN     string
	GroupID string // of the first target group

	Concurrent bool // executions are being rolled out or canceled
}

// UpdateJobRequest is UpdateJob's input; nil members are not changed.
type UpdateJobRequest struct {
	ID          string
	NamespaceID string
	Description *string
	Settings
}

// CancelJobRequest is CancelJob's input.
type CancelJobRequest struct {
	ID         string
	ReasonCode string
	Comment    string
	Force      bool
}

// DeleteJobRequest is DeleteJob's input.
type DeleteJobRequest struct {
	ID          string
	NamespaceID string
	Force       bool
}

// AssociateTargetsRequest is AssociateTargetsWithJob's input.
type AssociateTargetsRequest struct {
	ID          string
	NamespaceID string
	Targets     []string // ARNs
	Comment     string
}

// ExecutionSummary is an entry of ListJobExecutionsForJob and ListJobExecutionsForThing.
type ExecutionSummary struct {
	Execution
	ThingARN string
}

// CancelExecutionRequest is CancelJobExecution's input.
type CancelExecutionRequest struct {
	Thing           string
	JobID           string
	Force           bool
	ExpectedVersion int64 // 0 = any, see NoVersion
	Details         map[string]string
}

// DeleteExecutionRequest is DeleteJobExecution's input.
type DeleteExecutionRequest struct {
	Thing       string
	JobID       string
	NamespaceID string
	Number      int64
	Force       bool
}

// CreateTemplateRequest is CreateJobTemplate's input.
type CreateTemplateRequest struct {
	ID                 string
	JobARN             string // job from which missing members are taken
	Document           string
	DocumentSource     string
	Description        string
	MaintenanceWindows []MaintenanceWindow
	PackageVersions    []string // refused when there are any
	Tags               []Tag
	Settings
}

// TemplateDetail is DescribeJobTemplate's output.
type TemplateDetail struct {
	JobTemplate
	ARN string
}

// CreateThingRequest is CreateThing's input.
type CreateThingRequest struct {
	Name         string
	TypeName     string
	BillingGroup string
	Attributes   map[string]string
}

// UpdateThingRequest is UpdateThing's input.
type UpdateThingRequest struct {
	Name       string
	TypeName   string // "": unchanged
	RemoveType bool
	Attributes AttributeUpdate
	Version    int64 // expected; 0 = any, see NoVersion
}

// AttributeUpdate is an attribute payload of an update: its values replace all attributes, or are merged with them.
type AttributeUpdate struct {
	Given  bool
	Values map[string]string // "" removes an attribute
	Merge  bool
}

// Apply returns attributes after the update. An attribute whose value is empty is removed.
func (u *AttributeUpdate) Apply(have map[string]string) map[string]string {
	if !u.Given {
		return have
	}
	attributes := make(map[string]string, len(have)+len(u.Values))
	if u.Merge {
		maps.Copy(attributes, have)
	}
	for name, value := range u.Values {
		if attributes[name] = value; value == "" {
			delete(attributes, name)
		}
	}
	return attributes
}

// ThingDetail is a thing with its ARN.
type ThingDetail struct {
	Thing
	ARN string
}

// CreateGroupRequest is CreateThingGroup's input. Dynamic groups (a query string) are refused at the edge.
type CreateGroupRequest struct {
	Name        string
	Parent      string
	Description string
	Attributes  map[string]string
	Tags        []Tag
}

// UpdateGroupRequest is UpdateThingGroup's input.
type UpdateGroupRequest struct {
	Name        string
	Description *string // nil: unchanged
	Attributes  AttributeUpdate
	Version     int64 // expected; 0 = any, see NoVersion
}

// GroupDetail is a thing group with its ARN and those of its ancestors.
type GroupDetail struct {
	Group
	ARN          string
	AncestorARNs []string // root first
}

// MemberRequest is the input of AddThingToThingGroup and RemoveThingFromThingGroup, by name or ARN.
type MemberRequest struct {
	Thing, ThingARN string
	Group, GroupARN string
}

// UpdateMembershipRequest is UpdateThingGroupsForThing's input.
type UpdateMembershipRequest struct {
	Thing  string
	Add    []string
	Remove []string
}

// Endpoint types of DescribeEndpoint that are answered with the data endpoint.
const (
	EndpointJobs    = "iot:Jobs"
	EndpointDataATS = "iot:Data-ATS"
	EndpointData    = "iot:Data"
)

// TimeFormat is the format of a schedule's times (AWS.md §6), in UTC.
const TimeFormat = "2006-01-02 15:04"
