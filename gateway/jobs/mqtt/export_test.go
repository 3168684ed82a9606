package mqtt

// Look reads the files of the authorities again if they have changed, as Watch does.
func (a *Authorities) Look(s *Server) { a.look(s) }
