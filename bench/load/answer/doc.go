// Package answer judges a target's answers: how an exchange ended (Kind), whether an answer is complete and
// filled (Check), and, for a sample, in the background, whether its presigned URLs can be opened (Verifier).
//
// Check allocates nothing for a good answer. All functions are safe for concurrent use.
package answer
