package engine

// ThingQuery filters a listing of things; zero members match all.
type ThingQuery struct {
	TypeName        string
	AttributeName   string
	AttributeValue  string // "" = any value of an existing attribute, unless ByValue
	AttributePrefix bool   // AttributeValue is a prefix
	ByValue         bool   // AttributeValue is set, even if it is ""
}

// GroupQuery filters a listing of groups; zero members match all that are live.
type GroupQuery struct {
	ByParent bool  // Parent is set
	Parent   int64 // its children; 0: the groups at the root
	Below    int64 // all descendants of this group
	Prefix   string
	Of       int64 // groups that this thing was added to
	State    GroupState
}

// JobQuery filters a listing of jobs; zero members match all.
type JobQuery struct {
	Active      bool
	Status      uint8
	Selection   uint8
	Namespace   string
	GroupName   string // a target is a group with this name, now or in the past
	GroupUUID   string
	EndedBefore int64
}

// TargetQuery selects the jobs that target one of some groups.
type TargetQuery struct {
	Groups    []int64
	Selection uint8
	Statuses  StatusSet // of the jobs
}

// StatusSet is a set of statuses; the zero set is all of them.
type StatusSet uint16

// SetOf returns the set of some statuses.
func SetOf(statuses ...uint8) (s StatusSet) {
	for _, n := range statuses {
		s |= 1 << n
	}
	return s
}

// Has reports whether the set holds a status.
func (s StatusSet) Has(status uint8) bool { return s == 0 || s&(1<<status) != 0 }

// ExecutionQuery filters a listing of executions; zero members match all.
type ExecutionQuery struct {
	Statuses  StatusSet
	JobID     string // of a thing's
	Namespace string // of a thing's
}

// EndedQuery selects lines of a job's ended executions.
type EndedQuery struct {
	Job      int64
	Statuses StatusSet
	ByReason bool // Reason is set
	Reason   string
	After    int64 // the last thing of the previous page
	Limit    int
}

// Walk visits the things of stops: in the order of the stops, and by ID within a stop, starting after After of Stops[At].
// Only live things in live groups are visited.
type Walk struct {
	Stops    []Target // a group is its direct members, a thing itself
	At       int
	After    int64 // 0: from the first
	BySerial bool  // Serial is set
	Serial   int64 // memberships up to this serial
	Ending   bool  // also visits members of groups that are GroupEnding
	Distinct bool  // skips things that are also in an earlier stop
	Job      int64 // sets Visit.Found to the thing's execution of this job; 0: does not
	Names    bool  // sets Visit.Name
	Limit    int
}

// Visit is a thing visited by a walk.
type Visit struct {
	Stop  int
	Thing int64
	Name  string
	Found *Execution // nil: none
}
