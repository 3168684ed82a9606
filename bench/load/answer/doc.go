// Package answer says whether what a target did is right: how an exchange ended (Kind), whether an answer is whole and
// filled (Check), and, for a sample beside the run, whether its presigned URLs open (Verifier).
//
// Check allocates nothing for an answer that is right. All functions are safe for concurrent use.
package answer
