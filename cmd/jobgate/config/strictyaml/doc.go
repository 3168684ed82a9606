// Package strictyaml reads YAML into a struct, and says all that is wrong with it at once.
//
//	file ──► Decoder.Decode ──► Override (environment, flags) ──► the struct, Origins, Faults
//
// The fields' tags are the description: yaml names the key, default, min, max, enum and empty say what it takes. Reading
// is strict: an unknown key, a wrong type, a value out of range, a key without a value or one set twice is a fault. Each
// fault carries where the value was written (file:line:column, variable or flag), the key, the value, what is allowed
// and how to mend it. The package knows no setting by name.
package strictyaml
