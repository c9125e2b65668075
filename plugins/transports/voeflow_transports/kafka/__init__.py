"""Events over Kafka: from topics into the node, and from the node into a topic."""
