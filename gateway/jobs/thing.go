package jobs

import "time"

// Thing is a registered device.
type Thing struct {
	Name         string
	ID           string // a UUID
	TypeName     string
	BillingGroup string
	Attributes   map[string]string
	Version      int64 // begins at 1
	CreatedAt    time.Time
}

// Group is a static thing group. A thing in a group is a member of the group's parents too, as far as jobs go.
type Group struct {
	Name        string
	ID          string   // a UUID
	Parent      string   // "" at the root
	Ancestors   []string // root first, without the group itself; set by the store
	Description string
	Attributes  map[string]string
	Version     int64 // begins at 1
	CreatedAt   time.Time
}

// MaxGroupDepth is how many groups may stand above one another.
const MaxGroupDepth = 7

// JobTemplate is a job's configuration kept for jobs to come.
type JobTemplate struct {
	ID             string
	Description    string
	Document       string
	DocumentSource string
	CreatedAt      time.Time

	Presign            *PresignedURLConfig
	Rollout            *RolloutConfig
	Abort              *AbortConfig
	Timeout            *TimeoutConfig
	Retry              *RetryConfig
	MaintenanceWindows []MaintenanceWindow
}
