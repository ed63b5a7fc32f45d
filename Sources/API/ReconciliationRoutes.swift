import Delivery
import Engine
import Hummingbird
import JSON
import Model
import Store

// Comparing a destination with Muster, and repairing what differs.

extension API {
    func addReconciliationRoutes(to routes: RouteTable<some RequestContext>) {
        routes.post("/destinations/:id/reconcile") { try startReconciliation($0) }
        routes.get("/destinations/:id/reconcile") { request in
            let destination = try destination(request)
            return ["reconciliation": reconciliations.run(of: destination.id).map(json) ?? .null]
        }
        routes.post("/destinations/:id/reconcile/stop") { request in
            let destination = try destination(request)
            try request.fields.finish()
            reconciliations.stop(destination.id)
            return ["status": "SUCCESS"]
        }
    }

    private enum Mode: String, CaseIterable { case sample, full }
    private enum People: String, CaseIterable { case members, all }

    private func startReconciliation(_ request: APIRequest) throws -> JSONValue {
        let destination = try destination(request)
        var fields = request.fields
        var options = Reconciliation.Options()
        options.isFull = try fields.choice("mode", of: Mode.self) == .full
        options.sampleSize = try fields.integer("sampleSize", in: 1...100_000) ?? options.sampleSize
        options.includesEverybody = try fields.choice("people", of: People.self) == .all
        options.repairs = try fields.bool("repair") ?? false
        if let seconds = try fields.integer("settleSeconds", in: 0...86_400) {
            options.settling = .seconds(Int64(seconds))
        }
        try fields.finish()
        let reader: HoldingsReader?
        do {
            reader = try delivery.holdingsReader(destination)
        } catch {
            throw APIError(error, configuration.destinationKinds.first { $0.kind == destination.kind })
        }
        guard let reader else {
            throw APIError(
                .validation, "What \(destination.name) holds can’t be read back: its kind has no way to ask.")
        }
        let run = ReconciliationShelf.Run(id: NewID.make("rec_"), options: options, startedAt: now())
        guard reconciliations.start(run, of: destination.id) else {
            throw APIError(.conflict, "A comparison with \(destination.name) is at work: wait for it or stop it.")
        }
        let clock = configuration.clock
        let work = Reconciliation(
            options: options, destinationID: destination.id, engine: engine, reader: reader, delivery: delivery,
            now: { clock.now() }, salt: run.id)
        Task { [reconciliations] in
            var failure: String?
            do {
                let report = try await work.run { report in
                    reconciliations.update(destination.id) { $0.report = report }
                }
                _ = reconciliations.update(destination.id) { $0.report = report }
            } catch {
                failure = "\(error)"
            }
            let problem = failure
            _ = reconciliations.update(destination.id) { run in
                run.failure = problem
                run.isFinished = true
            }
        }
        return ["reconciliation": json(run)]
    }

    private func json(_ run: ReconciliationShelf.Run) -> JSONValue {
        let status =
            run.failure != nil ? "FAILED" : !run.isFinished ? "RUNNING" : run.isStopped ? "STOPPED" : "COMPLETED"
        let report = run.report
        let goal = run.options.isFull ? report.total : min(report.total, run.options.sampleSize)
        var object: JSONObject = [
            "id": .string(run.id), "status": .string(status), "failureReason": .string(orNull: run.failure),
            "mode": .string(run.options.isFull ? Mode.full.rawValue : Mode.sample.rawValue),
            "people": .string(run.options.includesEverybody ? People.all.rawValue : People.members.rawValue),
            "repair": .bool(run.options.repairs), "startedAt": .time(run.startedAt),
            "compared": .number(report.people), "done": .number(run.options.isFull ? report.looked : report.people),
            "total": .number(goal), "unknownPeople": .number(report.unknownPeople),
            "inMotion": .number(report.inMotion), "notFindable": .number(report.notFindable),
            "ambiguous": .number(report.ambiguous),
            "requests": .number(report.requests), "repaired": .number(report.repaired),
        ]
        for (name, value) in report.sum.json.members { object[name] = value }
        object["computations"] = .array(
            report.counts.sorted { $0.key < $1.key }.map { id, count in
                var row = count.json
                row["computationId"] = .string(id)
                row["name"] = .string(computationName(id))
                return .object(row)
            })
        object["drifts"] = .array(report.drifts.map(json))
        return .object(object)
    }

    private func json(_ drift: Reconciliation.Drift) -> JSONValue {
        let (summary, name) = engine.read { engine in
            (
                engine.summary(engine.canonical(drift.profile)),
                engine.computation(id: drift.computationID)?.definition.name
            )
        }
        return [
            "profileId": .string(summary.segmentID),
            "profileName": .string(orNull: summary.name ?? summary.email ?? summary.userID ?? summary.otherID),
            "person": .string(drift.person), "computationId": .string(drift.computationID),
            "computationName": .string(name ?? drift.computationID), "attribute": .string(drift.attribute),
            "expected": drift.expected, "held": drift.held ?? .null, "kind": .string(drift.kind.rawValue),
        ]
    }
}
