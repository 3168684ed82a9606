// Package config reads jobgate's configuration and reports all its faults.
//
//	defaults -> file -> environment -> flags -> rules across settings -> Loaded
//	(tags)     (YAML)   (JOBGATE_…)   (--listen)  (validate_*.go)
//
// The structs of settings.go are the only description of the configuration. Their yaml tags name the keys and, joined by
// "_" and in capitals, the environment variables. Decoding (package strictyaml) applies their default, min, max and enum
// tags, and the table of SETTINGS.md shows them beside the fields' comments. All faults are reported at once, each with
// the place where the value was written.
package config
