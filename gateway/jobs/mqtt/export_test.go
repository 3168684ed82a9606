package mqtt

// Reload reads the files of the authorities again, as Watch does when they have changed.
func (a *Authorities) Reload(s *Server) { a.reload(s) }
