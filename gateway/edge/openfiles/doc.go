// Package openfiles says how many files the process may have open and shares them out among the listeners, so that a
// flood of one leaves the others alone.
package openfiles
