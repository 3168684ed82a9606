// Package config reads jobgate's configuration and says everything that is wrong with it.
//
//	defaults -> file -> environment -> flags -> rules across settings -> Loaded
//	(tags)     (YAML)   (JOBGATE_…)   (--listen)  (validate_*.go)
//
// The structs of settings.go are the one description of the configuration: their yaml tags name the keys and, joined
// by "_" and in capitals, the environment variables; their default, min, max and enum tags are what decoding (package
// strictyaml) applies and what the table of SETTINGS.md shows, beside the fields' comments. All faults are reported at
// once, each with where the value was written.
package config
