module jobgate/gateway/jobs/mqtt/oracle

go 1.26.0

replace jobgate => ../../../..

require (
	github.com/eclipse/paho.golang v0.23.0
	github.com/mochi-mqtt/server/v2 v2.7.9
	jobgate v0.0.0-00010101000000-000000000000
)
