import JSON
import Logging
import Model
import Store
import Synchronization

/// The owner of one destination's queue: reads the outbox, makes the requests, records what became of them.
///
/// One task runs it, so the queue needs no lock, and what it read of the ledger cannot be out of date: a page is read
/// and queued, and an answer is settled and recorded, one after the other.
final class DestinationRunner: Sendable {
    let destination: Destination
    private let adapter: any DestinationAdapter
    private let store: StateStore
    private let sender: HTTPSender
    private let clock: any InstantSource
    private let configuration: DeliveryConfiguration
    private let seed: UInt64
    private let logger: Logger
    let mailbox = Mailbox()
    private let current: Mutex<DestinationActivity>

    var activity: DestinationActivity { current.withLock { $0 } }

    init(
        destination: Destination, adapter: any DestinationAdapter, store: StateStore, sender: HTTPSender,
        clock: any InstantSource, configuration: DeliveryConfiguration, seed: UInt64, logger: Logger
    ) {
        self.destination = destination
        self.adapter = adapter
        self.store = store
        self.sender = sender
        self.clock = clock
        self.configuration = configuration
        self.seed = seed
        var logger = logger
        logger[metadataKey: "destination"] = "\(destination.id)"
        self.logger = logger
        current = Mutex(DestinationActivity(phase: .working))
    }

    /// Works until stopped or cancelled; requests under way may end within the grace.
    func run(pause: DestinationPause?) async {
        await withDiscardingTaskGroup { group in
            var work = Work(
                queue: DeliveryQueue(
                    limits: adapter.limits, configuration: configuration, seed: seed, now: clock.now()))
            if let pause {
                // Maybe it was set right meanwhile: ask at once.
                work.queue.stop(reason: pause.reason, now: pause.since)
                work.queue.standstill?.probeAt = clock.now()
            }
            await open(&work)
            var graceEnd: Instant?
            while true {
                await step(&work, &group)
                if work.queue.isDraining, work.queue.inFlight.isEmpty, !work.isProbing { break }
                let now = clock.now()
                var wake = work.queue.wakeAt(now: now)
                // More of the outbox fits: go on with it at once.
                if work.queue.wantsMore, !work.isOutboxRead { wake = now }
                if let graceEnd { wake = graceEnd }
                let letters = await mailbox.next(
                    within: wake.map { max($0 - now, Instant.Span(milliseconds: 0)) },
                    ignoringCancellation: graceEnd != nil)
                await receive(letters, &work)
                if letters.mustStop || Task.isCancelled, graceEnd == nil {
                    work.queue.drain()
                    graceEnd = clock.now() + (Task.isCancelled ? .seconds(0) : configuration.shutdownGrace)
                }
                if let end = graceEnd, clock.now() >= end {
                    group.cancelAll()
                    graceEnd = clock.now() + .days(1)
                }
            }
            await close(work)
        }
    }

    /// What the runner's task keeps between steps.
    private struct Work {
        var queue: DeliveryQueue
        /// The last sequence read from the outbox.
        var cursor: Int64 = 0
        var isOutboxRead = false
        /// Emissions up to here may have been sent by a process that died before it could say so.
        var oldestCertain: Int64 = 0
        /// The bodies of requests under way, as recorded.
        var requests: [Int: DestinationRequest] = [:]
        var isProbing = false
        var recordedPause: String?
    }

    /// Marks in the ledger, under no person's name.
    private static let scopeMark = LedgerKey(externalID: "", attribute: "scope")
    private static let cleanMark = LedgerKey(externalID: "", attribute: "clean")

    /// Compares the ledger with the settings, and finds out how much of the outbox may have been sent already.
    private func open(_ work: inout Work) async {
        work.recordedPause = work.queue.standstill?.reason
        let (store, id, scope) = (store, destination.id, adapter.ledgerScope)
        let newest = await persistently("open the outbox") { () -> Int64 in
            let marks = try store.acknowledgedValues(destinationID: id, [Self.scopeMark, Self.cleanMark])
            let isSameScope = marks[Self.scopeMark]?.string == scope
            if !isSameScope { try store.forgetAcknowledgedValues(destinationID: id) }
            var changes = DeliveryChanges(destinationID: id, at: .epoch)
            changes.acknowledgedValues = [Self.scopeMark: .string(scope), Self.cleanMark: .null]
            try store.record(changes)
            if marks[Self.cleanMark] == true || !isSameScope { return 0 }
            return try store.outbox(destinationID: id, parked: false, limit: 1).first?.sequence ?? 0
        }
        work.oldestCertain = newest ?? 0
    }

    /// Leaves the mark that nothing was under way, unless something is unknown.
    private func close(_ work: Work) async {
        guard !work.queue.hasUnknowns else { return }
        var changes = DeliveryChanges(destinationID: destination.id, at: clock.now())
        changes.acknowledgedValues = [Self.cleanMark: true]
        let (store, marked) = (store, changes)
        await persistently("close the outbox") { try store.record(marked) }
    }

    /// Does everything that can be done now.
    private func step(_ work: inout Work, _ group: inout DiscardingTaskGroup) async {
        // A few pages, then requests: an outbox that grows as fast as it is read would else never be sent.
        var pages = 0
        while work.queue.wantsMore, !work.isOutboxRead, pages < configuration.pagesPerStep {
            await readPage(&work)
            pages += 1
        }
        let now = clock.now()
        if work.queue.startProbe(now: now) { startProbe(&work, &group, now: now) }
        for planned in work.queue.requests(now: clock.now()) {
            let request = adapter.request(for: planned.outgoing)
            work.requests[planned.id] = request
            group.addTask { [mailbox, sender] in
                let started = ContinuousClock.now
                let reply = await sender.send(request)
                let answer = Mailbox.Answer(
                    requestID: planned.id, reply: reply, duration: ContinuousClock.now - started)
                mailbox.post { $0.answers.append(answer) }
            }
        }
        let activity = work.queue.activity(now: clock.now())
        current.withLock { $0 = activity }
        await record(work.queue.takeSettlement(), attempt: nil)
        await recordPause(&work)
    }

    private func startProbe(_ work: inout Work, _ group: inout DiscardingTaskGroup, now: Instant) {
        guard let probe = adapter.probe else {
            work.queue.probed(.working, now: now)
            return
        }
        work.isProbing = true
        group.addTask { [mailbox, sender] in
            let reply = await sender.send(probe)
            mailbox.post { $0.probeReply = reply }
        }
    }

    private func receive(_ letters: Mailbox.Letters, _ work: inout Work) async {
        if letters.outboxGrew { work.isOutboxRead = false }
        if letters.mustRescan {
            work.isOutboxRead = false
            work.cursor = 0
        }
        if letters.mustResume { work.queue.resume() }
        if !letters.deletedProfiles.isEmpty { work.queue.drop(profiles: letters.deletedProfiles) }
        if let reply = letters.probeReply {
            work.isProbing = false
            work.queue.probed(adapter.verdict(onProbe: reply), now: clock.now())
        }
        for answer in letters.answers { await settle(answer, &work) }
    }

    private func settle(_ answer: Mailbox.Answer, _ work: inout Work) async {
        guard let planned = work.queue.inFlight[answer.requestID],
            let request = work.requests.removeValue(forKey: answer.requestID)
        else { preconditionFailure("an answer to request \(answer.requestID), which nobody made") }
        let now = clock.now()
        let result: RequestResult
        switch answer.reply {
        case .response(let response):
            result = .answered(
                adapter.interpret(response, to: planned.outgoing), RateAdvice(response, now: now))
        case .failure(let failure): result = .failed(failure)
        }
        let (outcome, settlement) = work.queue.finish(planned.id, result, now: now)
        let attempt = AttemptRecord(
            request: request, sentAt: planned.sentAt, objectCount: planned.objects.count, reply: answer.reply,
            duration: answer.duration, outcome: outcome)
        if outcome != .delivered {
            logger.debug("request failed", metadata: ["outcome": "\(outcome)", "objects": "\(planned.objects.count)"])
        }
        await record(
            settlement, attempt: attempt.row(destinationID: destination.id, limit: configuration.recordedBytes))
    }

    // MARK: Store

    private func readPage(_ work: inout Work) async {
        let (store, id, limit, adapter) = (store, destination.id, configuration.pageSize, adapter)
        let cursor = work.cursor
        let page = await persistently("read the outbox") {
            try Page(store: store, destinationID: id, after: cursor, limit: limit, adapter: adapter)
        }
        guard let page else {
            work.isOutboxRead = true
            return
        }
        let now = clock.now()
        for (emission, mapping) in page.emissions {
            work.queue.enqueue(
                emission, mapping, known: page.known(mapping), mayBeSent: emission.sequence <= work.oldestCertain,
                now: now)
        }
        work.isOutboxRead = page.isLast
        work.cursor = page.emissions.last?.emission.sequence ?? work.cursor
    }

    private func record(_ settlement: Settlement, attempt: AttemptRow?) async {
        guard !settlement.isEmpty || attempt != nil else { return }
        let changes = settlement.changes(destinationID: destination.id, attempt: attempt, now: clock.now())
        let store = store
        await persistently("record delivery") { try store.record(changes) }
    }

    private func recordPause(_ work: inout Work) async {
        let standstill = work.queue.standstill
        guard work.recordedPause != standstill?.reason else { return }
        work.recordedPause = standstill?.reason
        if let standstill {
            logger.warning("delivery paused", metadata: ["reason": "\(standstill.reason)"])
        } else {
            logger.info("delivery resumed")
        }
        let pause = standstill.map { DestinationPause(reason: $0.reason, since: $0.since) }
        let (store, id) = (store, destination.id)
        await persistently("record the pause") { try store.setPause(pause, destinationID: id) }
    }

    /// Repeats work on the store until it succeeds: delivery must not go on when it can't say what it did. `nil` when
    /// it was stopped meanwhile.
    @discardableResult
    private func persistently<Result: Sendable>(
        _ purpose: String, _ work: @escaping @Sendable () throws -> Result
    ) async -> Result? {
        while true {
            do {
                return try await onThread(work)
            } catch {
                logger.error("can't \(purpose): trying again in a second", metadata: ["error": "\(error)"])
                if mailbox.isStopRequested { return nil }
                do { try await Task.sleep(for: .seconds(1)) } catch { return nil }
            }
        }
    }
}

extension DestinationAdapter {
    func verdict(onProbe reply: Reply) -> ProbeVerdict {
        switch reply {
        case .response(let response): interpretProbe(response)
        case .failure(let failure): .unavailable(reason: failure.description)
        }
    }
}

/// A page of the outbox, mapped, with what the ledger says about the values in it.
private struct Page: Sendable {
    var emissions: [(emission: EmissionReference, mapping: Mapping)] = []
    var ledger: [LedgerKey: Known] = [:]
    var isLast: Bool

    init(
        store: StateStore, destinationID: String, after cursor: Int64, limit: Int, adapter: any DestinationAdapter
    ) throws {
        let rows = try store.pending(destinationID: destinationID, after: cursor, limit: limit)
        isLast = rows.count < limit
        var keys: Set<LedgerKey> = []
        for row in rows {
            guard let emission = EmissionReference(row.emission) else { continue }
            let mapping = adapter.map(row.emission)
            if case .update(let person, let update) = mapping {
                for name in update.values.keys { keys.insert(LedgerKey(externalID: person, attribute: name)) }
            }
            emissions.append((emission, mapping))
        }
        // A transition at the edge may go on in the next page: leave it for that one.
        if !isLast, let last = emissions.last?.emission {
            let whole = emissions.prefix { !$0.emission.isSameTransition(as: last) }.count
            if whole > 0 { emissions.removeLast(emissions.count - whole) }
        }
        guard !keys.isEmpty else { return }
        for (key, value) in try store.acknowledgedValues(destinationID: destinationID, keys) {
            ledger[key] = Known(stored: value)
        }
    }

    func known(_ mapping: Mapping) -> [String: Known] {
        guard case .update(let person, let update) = mapping else { return [:] }
        var known: [String: Known] = [:]
        for name in update.values.keys { known[name] = ledger[LedgerKey(externalID: person, attribute: name)] }
        return known
    }
}
