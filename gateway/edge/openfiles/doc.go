// Package openfiles finds the limit of open files and divides it among the listeners, so that a flood on one does not affect
// the others.
package openfiles
