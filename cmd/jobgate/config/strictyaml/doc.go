// Package strictyaml reads YAML into a struct, and reports all faults at once.
//
//	file ──► Decoder.Decode ──► Override (environment, flags) ──► the struct, Origins, Faults
//
// The fields' tags describe the settings: yaml names the key; default, min, max, enum and empty say what it accepts.
// Reading is strict: an unknown key, a wrong type, a value out of range, a key without a value or a key set twice is a
// fault. Each fault holds the place of the value (file:line:column, variable or flag), the key, the value, what is allowed
// and how to fix it. The package does not depend on any specific setting.
package strictyaml
