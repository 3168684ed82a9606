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

// Group is a static thing group. For jobs, a thing in a group is also a member of the group's parents.
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

// Limits of things and groups: AWS IoT Core's quotas, "Thing limits and quotas" and "Thing group limits and quotas". Beyond
// them AWS answers InvalidRequestException.
const (
	MaxGroupDepth      = 7        // levels of groups
	MaxChildGroups     = 100      // directly below a group
	MaxGroupsOfThing   = 10       // of different hierarchies
	MaxAttributes      = 50       // of a thing that has a type, or of a group
	MaxFreeAttributes  = 3        // of a thing that has no type
	MaxAttributesBytes = 47 << 10 // of a thing, names and values together
)

// attributesBytes returns the size of attributes.
func attributesBytes(attributes map[string]string) (n int) {
	for name, value := range attributes {
		n += len(name) + len(value)
	}
	return n
}

// Validate checks t's attributes against the limits.
func (t *Thing) Validate() error {
	most, without := MaxAttributes, ""
	if t.TypeName == "" {
		most, without = MaxFreeAttributes, " that has no type"
	}
	if n := len(t.Attributes); n > most {
		return Errorf(ErrInvalidRequest, "A thing%s has at most %d attributes, not %d.", without, most, n)
	}
	if n := attributesBytes(t.Attributes); n > MaxAttributesBytes {
		return Errorf(ErrInvalidRequest, "A thing's attributes take at most %d bytes, not %d.", MaxAttributesBytes, n)
	}
	return nil
}

// Validate checks g's attributes against the limits.
func (g *Group) Validate() error {
	if n := len(g.Attributes); n > MaxAttributes {
		return Errorf(ErrInvalidRequest, "A thing group has at most %d attributes, not %d.", MaxAttributes, n)
	}
	return nil
}

// JobTemplate is a stored configuration for new jobs.
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

// Settings returns the template's configurations for a job.
func (t *JobTemplate) Settings() Settings {
	return Settings{t.Presign, t.Rollout, t.Abort, t.Timeout, t.Retry}
}
