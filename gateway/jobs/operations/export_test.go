package operations

// Compiled counts the documents that are kept compiled.
func (s *Service) Compiled() (n int) {
	s.documents.byJob.Range(func(any, any) bool { n++; return true })
	return n
}
