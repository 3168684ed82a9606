package config

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"jobgate/cmd/jobgate/config/strictyaml"
)

// jobs checks the IoT Jobs service.
func (v *validator) jobs() {
	c, j := v.c, v.c.Jobs
	if !accountPattern.MatchString(j.Account) {
		v.fault("jobs.account", fmt.Sprintf("%q is not an account", j.Account), "twelve digits", "")
	}
	if !regionPattern.MatchString(j.Region) {
		v.fault("jobs.region", fmt.Sprintf("%q is not a region", j.Region), "a name like us-east-1", "")
	}
	if !j.Enabled {
		return
	}
	if j.Store == "" {
		v.fault("jobs.store", "is empty", "", "name the database file, or leave it out for ./jobgate.db")
	}
	v.store()
	if j.DataEndpoint != "" && !endpointHostPattern.MatchString(j.DataEndpoint) {
		v.fault("jobs.data_endpoint", fmt.Sprintf("%q is not a host", j.DataEndpoint), "host or host:port, without a scheme", "")
	}
	if reachable(c.Control) && j.AccessKeysFile == "" {
		v.fault("control", fmt.Sprintf("%q is reachable from other machines", c.Control), "", "set jobs.access_keys_file, or bind 127.0.0.1")
	}
	if reachable(c.Control) && c.ControlTLS.CertFile == "" {
		v.warn("control", fmt.Sprintf("traffic between operators and %s is not encrypted", c.Control), "set control_tls, or put it behind TLS")
	}
	if c.Listen == "" {
		v.fault("jobs.enabled", "the jobs' data plane has no listener", "", "set listen")
	}
	v.jobRoles()
}

// SharedStore reports whether the store is a database that gateways share.
func (j *Jobs) SharedStore() bool {
	return strings.HasPrefix(j.Store, "postgres://") || strings.HasPrefix(j.Store, "postgresql://")
}

// minStoreConnections is the smallest number of database connections with which a gateway works.
const minStoreConnections = 4

// store checks the settings of the jobs' store.
func (v *validator) store() {
	j := &v.c.Jobs
	if !j.SharedStore() {
		if scheme, _, ok := strings.Cut(j.Store, "://"); ok {
			v.fault("jobs.store", fmt.Sprintf("%q is not a kind of store", scheme+"://"), "a file's path, or postgres://user@host/database", "")
		}
		if j.StorePasswordFile != "" {
			v.warn("jobs.store_password_file", "has no effect: jobs.store is a file", "")
		}
		return
	}
	if u, err := url.Parse(j.Store); err != nil || passwordIn(u) {
		fix := "leave the password out; see jobs.store_password_file"
		v.fault("jobs.store", "is not a URL like postgres://user@host/database, or holds a password", "", fix)
	}
	if n := j.StoreConnections; n != 0 && n < minStoreConnections {
		v.fault("jobs.store_connections", fmt.Sprintf("%d are too few", n), fmt.Sprintf("0, or at least %d", minStoreConnections), "")
	}
}

func passwordIn(u *url.URL) bool {
	_, found := u.User.Password()
	return found || u.Query().Has("password")
}

// jobsExpires is the maximum validity of a job's URLs, and the default.
const jobsExpires = time.Hour

// jobRoles checks the roles as jobs use them: by their ARN, for up to an hour.
func (v *validator) jobRoles() {
	byARN := map[string]string{}
	for _, name := range v.roleNames() {
		r, key := v.c.Roles[name], "roles."+name
		if other, taken := byARN[r.ARN]; taken && r.ARN != "" {
			v.fault(key+".arn", fmt.Sprintf("%q is also the ARN of roles.%s, and jobs name roles by ARN", r.ARN, other), "", "list each role once, or set jobs.enabled: false")
		}
		byARN[r.ARN] = name
		switch {
		case r.MaxExpires < jobsExpires:
			v.warn(key+".max_expires", fmt.Sprintf("URLs of jobs live at most %s, even if a job asks for more", strictyaml.FormatDuration(r.MaxExpires)), "jobs ask for 1h unless they say otherwise")
		case r.session() < jobsExpires:
			v.warn(key+".session_duration", fmt.Sprintf("URLs of jobs end with their session, which lives %s", strictyaml.FormatDuration(r.session())), "jobs ask for 1h unless they say otherwise")
		}
	}
}
