import Evaluation
import History
import JSON
import Model
import Query
import Store

extension Engine {
    /// Carries out a command, or says why not. Checks happen here, in the order of the Log, so that two requests at the
    /// same time can't both have the last key.
    func apply(_ command: Command, receivedAt: Instant) -> Result<Void, CommandError> {
        do {
            switch command {
            case .putSource(let source): try put(source)
            case .deleteSource(let id): try deleteSource(id)
            case .connectSource(let id, let connection): try connectSource(id, connection)
            case .disconnectSource(let id, let destinationID): try disconnectSource(id, destinationID)
            case .putDestination(let destination): try put(destination)
            case .deleteDestination(let id): try deleteDestination(id)
            case .putComputation(let computation): try put(computation, receivedAt: receivedAt)
            case .deleteComputation(let id): try deleteComputation(id, at: receivedAt)
            case .connect(let id, let connection): try connect(id, connection, at: receivedAt)
            case .disconnect(let id, let destinationID): try disconnect(id, destinationID)
            case .regulate(let regulation): try carryOut(regulation)
            case .finishRegulation(let id): try finishRegulation(id, at: receivedAt)
            case .removeIdentifier(let identifier, let userID): try removeIdentifier(identifier, ofUser: userID)
            case .setRetention(let rules): setRetention(rules)
            case .expire(let floors): expire(floors, at: receivedAt)
            }
            return .success(())
        } catch let error as CommandError {
            count("refused_commands")
            return .failure(error)
        } catch {
            count("refused_commands")
            return .failure(CommandError(.invalid, "\(error)"))
        }
    }

    // MARK: Sources and destinations

    private func put(_ source: Source) throws {
        guard !source.writeKey.isEmpty else {
            throw CommandError(.invalid, field: "writeKey", "a source needs a write key")
        }
        if let other = sources.values.first(where: { $0.writeKey == source.writeKey && $0.id != source.id }) {
            throw CommandError(
                .conflict, field: "writeKey", "source '\(other.name)' has this write key already: choose another one")
        }
        var source = source
        source.connections = sources[source.id]?.connections ?? []
        set(source)
    }

    private func deleteSource(_ id: String) throws {
        guard sources.removeValue(forKey: id) != nil else { throw notFound("source", id) }
        changes.deletedSources.append(id)
    }

    private func put(_ destination: Destination) throws {
        if let other = destinations.values.first(where: { $0.name == destination.name && $0.id != destination.id }) {
            throw CommandError(
                .conflict, field: "name",
                "destination \(other.id) is called '\(other.name)' already: choose another name")
        }
        destinations[destination.id] = destination
        changes.destinations.append(destination)
    }

    private func deleteDestination(_ id: String) throws {
        guard destinations.removeValue(forKey: id) != nil else { throw notFound("destination", id) }
        for source in sources.values.sorted(by: { $0.id < $1.id })
        where source.connections.contains(where: { $0.destinationID == id }) {
            var source = source
            source.connections.removeAll { $0.destinationID == id }
            set(source)
        }
        for computation in registry.all
        where computation.definition.connections.contains(where: { $0.destinationID == id }) {
            computation.definition.connections.removeAll { $0.destinationID == id }
            changes.computations.append(computation.definition)
        }
        changes.deletedDestinations.append(id)
        cancelFirstSyncs { $0.connection.destinationID == id }
    }

    // MARK: Computations

    private func put(_ definition: Computation, receivedAt: Instant) throws {
        let (parsed, compiled) = try compile(definition)
        let dependencies = parsed.dependencies
        if let path = DependencyGraph.cycle(
            adding: definition.key, reading: dependencies.traitKeys, to: registry.traitKeysByKey)
        {
            throw CommandError(
                .invalid, field: "definition.query",
                "this would make a circle: \(path.joined(separator: " → ")). An audience can't depend on itself")
        }
        guard let existing = registry.computation(id: definition.id) else {
            try create(definition, parsed: parsed, compiled: compiled, receivedAt: receivedAt)
            return
        }
        guard existing.definition.deletedAt == nil else { throw notFound("computation", definition.id) }
        try update(existing, to: definition, compiled: compiled, dependencies: dependencies, receivedAt: receivedAt)
    }

    private func create(
        _ definition: Computation, parsed: Definition, compiled: CompiledQuery, receivedAt: Instant
    ) throws {
        if let other = registry.computation(key: definition.key) {
            let whose = other.definition.deletedAt == nil ? "'\(other.definition.name)' has" : "a deleted one had"
            throw CommandError(
                .conflict, field: "key",
                "\(whose) the key '\(definition.key)'. Keys are never given again, because destinations could not "
                    + "tell old members from new ones: choose another name")
        }
        let computation = register((parsed, compiled), definition)
        registry.reindex(history: history)
        changes.computations.append(definition)
        if definition.enabled { startJob(for: computation, asOf: receivedAt) }
    }

    private func update(
        _ computation: RegisteredComputation, to definition: Computation, compiled: CompiledQuery,
        dependencies: Dependencies, receivedAt: Instant
    ) throws {
        let old = computation.definition
        guard old.key == definition.key, old.kind == definition.kind, old.level == definition.level else {
            throw CommandError(.invalid, "key, kind and level of a computation can't change: create another one")
        }
        finishJobs(of: computation)
        var new = definition
        new.createdAt = old.createdAt
        new.connections = old.connections
        computation.definition = new
        computation.compiled = compiled
        computation.dependencies = dependencies
        registry.reindex(history: history)
        changes.computations.append(new)
        let asksAnew = old.query != new.query || old.options != new.options || !old.enabled
        if new.enabled, asksAnew { startJob(for: computation, asOf: receivedAt) }
    }

    private func deleteComputation(_ id: String, at receivedAt: Instant) throws {
        let computation = try existing(id)
        if let reader = registry.touched(by: history.traitID(computation.definition.key)).first {
            throw CommandError(
                .conflict,
                "'\(reader.definition.name)' depends on '\(computation.definition.name)': change or delete it first")
        }
        finishJobs(of: computation)
        computation.definition.deletedAt = receivedAt
        computation.definition.enabled = false
        cancelFirstSyncs { $0.computation == computation.number }
        registry.reindex(history: history)
        changes.computations.append(computation.definition)
    }

    // MARK: Connections

    private func connect(_ id: String, _ connection: Connection, at receivedAt: Instant) throws {
        let computation = try existing(id)
        guard let destination = destinations[connection.destinationID] else {
            throw notFound("destination", connection.destinationID)
        }
        let list = computation.definition.connections
        let index = list.firstIndex { $0.destinationID == connection.destinationID }
        if let index {
            computation.definition.connections[index] = connection
        } else {
            computation.definition.connections.append(connection)
        }
        changes.computations.append(computation.definition)

        let announcement = connection.announcement(after: index.map { list[$0] })
        // Without history nobody is told at first; those who were told since are told again where that is due.
        guard computation.definition.options.includeHistoricalData || announcement.isResync, destination.enabled,
            connection.enabled
        else { return }
        startFirstSync(computation, announcement, at: receivedAt)
    }

    private func disconnect(_ id: String, _ destinationID: String) throws {
        let computation = try existing(id)
        guard computation.definition.connections.contains(where: { $0.destinationID == destinationID }) else {
            throw notFound("connection", destinationID)
        }
        computation.definition.connections.removeAll { $0.destinationID == destinationID }
        changes.computations.append(computation.definition)
        cancelFirstSyncs { $0.computation == computation.number && $0.connection.destinationID == destinationID }
    }

    private func existing(_ id: String) throws -> RegisteredComputation {
        guard let computation = registry.computation(id: id), computation.definition.deletedAt == nil else {
            throw notFound("computation", id)
        }
        return computation
    }

    func notFound(_ what: String, _ id: String) -> CommandError {
        CommandError(.notFound, "there is no \(what) '\(id)'")
    }
}
