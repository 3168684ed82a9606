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
	ID             string    `json:"id,omitempty"`
	Description    string    `json:"description,omitempty"`
	Document       string    `json:"document,omitempty"`
	DocumentSource string    `json:"documentSource,omitempty"`
	CreatedAt      time.Time `json:"createdAt,omitzero"`

	Presign            *PresignedURLConfig `json:"presign,omitempty"`
	Rollout            *RolloutConfig      `json:"rollout,omitempty"`
	Abort              *AbortConfig        `json:"abort,omitempty"`
	Timeout            *TimeoutConfig      `json:"timeout,omitempty"`
	Retry              *RetryConfig        `json:"retry,omitempty"`
	MaintenanceWindows []MaintenanceWindow `json:"maintenanceWindows,omitempty"`
}

// Settings returns the configurations that the template brings to a job.
func (t *JobTemplate) Settings() Settings {
	return Settings{t.Presign, t.Rollout, t.Abort, t.Timeout, t.Retry}
}
