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
    private let facts: @Sendable (String) -> ComputationFacts?
    private let logger: Logger
    let mailbox = Mailbox()
    private let current: Mutex<DestinationActivity>
    /// Keys of what was prepared by this runner.
    private let prepared = Mutex<Set<String>>([])

    var activity: DestinationActivity { current.withLock { $0 } }

    init(
        destination: Destination, adapter: any DestinationAdapter, store: StateStore, sender: HTTPSender,
        clock: any InstantSource, configuration: DeliveryConfiguration, seed: UInt64,
        facts: @escaping @Sendable (String) -> ComputationFacts?, logger: Logger
    ) {
        self.destination = destination
        self.adapter = adapter
        self.store = store
        self.sender = sender
        self.clock = clock
        self.configuration = configuration
        self.seed = seed
        self.facts = facts
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
                    limits: adapter.limits, configuration: configuration, pricing: adapter.pricing, seed: seed,
                    now: clock.now()))
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
            await close(&work)
        }
    }

    /// What the runner's task keeps between steps.
    private struct Work {
        var queue: DeliveryQueue
        var watch = SpikeWatch(settings: SpikeGuard(), hours: [:], countedUpTo: 0, spikes: [])
        /// The last sequence read from the outbox.
        var cursor: Int64 = 0
        var isOutboxRead = false
        /// The last sequence ever read: what is up to it may be in the queue, or have left it without being written.
        var newest: Int64 = 0
        /// The page after the cursor, read and mapped while the one before it is being sent. Whatever may change rows
        /// that wait forgets it.
        var ahead: Task<Page, any Error>?
        /// What was acknowledged since the ledger was asked about the page ahead, or was not written by then, and
        /// maybe some more.
        var acknowledged = RecentAcknowledgements()
        /// Emissions up to here may have been sent by a process that died before it could say so.
        var oldestCertain: Int64 = 0
        /// Whether persons ever became one with others at this destination.
        var hasJoined = false
        /// The bodies of requests under way, as recorded.
        var requests: [Int: DestinationRequest] = [:]
        var isProbing = false
        var recordedPause: String?
        /// The reason that the destination's other addresses were last asked about.
        var diagnosed: String?
        /// Steps that are not written down yet.
        var unwritten: [DeliveryChanges] = []
        /// Steps that are being written down.
        var beingWritten: [DeliveryChanges] = []
        var writing: Task<Void, Never>?
        /// Transactions begun so far.
        var writings = 0
    }

    /// Does everything that can be done now.
    private func step(_ work: inout Work, _ group: inout DiscardingTaskGroup) async {
        // One page, then requests: an outbox that grows as fast as it is read would else never be sent.
        if work.queue.wantsMore, !work.isOutboxRead { await readPage(&work) }
        let now = clock.now()
        if work.queue.startProbe(now: now) { startProbe(&work, &group, now: now) }
        let planned = work.queue.requests(now: clock.now())
        note(work.queue.takeSettlement(), attempt: nil, &work)
        if work.queue.hasNewUncertainty {
            work.queue.hasNewUncertainty = false
            var changes = DeliveryChanges(destinationID: destination.id, at: clock.now())
            changes.acknowledgedValues = [RunnerMark.underWay: RunnerMark.underWay(work.queue)]
            work.unwritten.append(changes)
            await flush(&work)
        } else if work.unwritten.count > Self.mostUnwritten {
            await flush(&work)
        } else {
            write(&work)
        }
        for planned in planned {
            let request = adapter.request(for: planned.outgoing)
            work.requests[planned.id] = request
            let sealed = adapter.seal(request, at: clock.now())
            let preparation = adapter.preparation(for: planned.outgoing, at: clock.now()).flatMap { preparation in
                prepared.withLock { $0.contains(preparation.key) } ? nil : preparation
            }
            group.addTask { [self, mailbox, sender] in
                let started = ContinuousClock.now
                let refusal = preparation == nil ? nil : await prepare(preparation)
                let reply = if let refusal { refusal } else { await sender.send(sealed) }
                let answer = Mailbox.Answer(
                    requestID: planned.id, reply: reply, duration: ContinuousClock.now - started)
                mailbox.post { $0.answers.append(answer) }
            }
        }
        let activity = work.queue.activity(now: clock.now())
        current.withLock { $0 = activity }
        await recordPause(&work, &group)
    }

    /// Makes a request that others need; the reply if it did not succeed, which is then theirs.
    private func prepare(_ preparation: Preparation?) async -> Reply? {
        guard let preparation else { return nil }
        let reply = await sender.send(adapter.seal(preparation.request, at: clock.now()))
        guard case .response(let response) = reply, 200..<300 ~= response.status else { return reply }
        prepared.withLock { _ = $0.insert(preparation.key) }
        return nil
    }

    private func startProbe(_ work: inout Work, _ group: inout DiscardingTaskGroup, now: Instant) {
        guard let probe = adapter.probe else {
            work.queue.probed(.working, now: now)
            return
        }
        work.isProbing = true
        let sealed = adapter.seal(probe, at: now)
        group.addTask { [mailbox, sender] in
            let reply = await sender.send(sealed)
            mailbox.post { $0.probeReply = reply }
        }
    }

    private func receive(_ letters: Mailbox.Letters, _ work: inout Work) async {
        if letters.written == work.writings, work.writing != nil { endWriting(&work) }
        if letters.outboxGrew { work.isOutboxRead = false }
        if letters.mustRescan || letters.spikesChanged || letters.hasForgotten || !letters.deletedProfiles.isEmpty {
            work.ahead = nil
        }
        if letters.mustRescan {
            work.isOutboxRead = false
            work.cursor = 0
        }
        if let spikeGuard = letters.spikeGuard { work.watch.settings = spikeGuard }
        if letters.spikesChanged { await readSpikes(&work) }
        if letters.mustResume { work.queue.resume() }
        if !letters.deletedProfiles.isEmpty { work.queue.drop(profiles: letters.deletedProfiles) }
        if let reply = letters.probeReply {
            work.isProbing = false
            let diagnosed = work.queue.standstill?.reason
            work.queue.probed(adapter.verdict(onProbe: reply), now: clock.now())
            // The probe gave the same answer as before: what the other addresses said still stands.
            if let diagnosed, let reason = work.queue.standstill?.reason, diagnosed.contains(reason) {
                work.queue.standstill?.reason = diagnosed
            }
        }
        if let diagnosis = letters.diagnosis, work.queue.standstill?.reason == diagnosis.of {
            work.queue.standstill?.reason = diagnosis.reason
        }
        for answer in letters.answers { settle(answer, &work) }
    }

    private func settle(_ answer: Mailbox.Answer, _ work: inout Work) {
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
        note(settlement, attempt: attempt.row(destinationID: destination.id, limit: configuration.recordedBytes), &work)
    }

    // MARK: Store

    /// Compares the ledger with the settings, and finds out how much of the outbox may have been sent already.
    private func open(_ work: inout Work) async {
        work.recordedPause = work.queue.standstill?.reason
        let (store, id, scope, now) = (store, destination.id, adapter.ledgerScope, clock.now())
        let found = await persistently("open the outbox") { () -> RunnerMark.Found in
            try RunnerMark.open(store, destinationID: id, scope: scope, now: now)
        }
        guard let found else { return }
        work.oldestCertain = found.oldestCertain
        work.hasJoined = found.hasJoined
        work.queue.restore(uncertain: found.uncertain)
        work.watch = SpikeWatch(
            settings: destination.spikeGuard, hours: found.hours, countedUpTo: found.countedUpTo, spikes: found.spikes)
    }

    /// Leaves the mark that nothing was under way, unless something is unknown.
    private func close(_ work: inout Work) async {
        // Nobody reads the store after this.
        _ = await work.ahead?.result
        var changes = DeliveryChanges(destinationID: destination.id, at: clock.now())
        changes.acknowledgedValues = [RunnerMark.underWay: RunnerMark.underWay(work.queue)]
        if !work.queue.hasUnknowns { changes.acknowledgedValues[RunnerMark.clean] = true }
        work.unwritten.append(changes)
        await flush(&work)
    }

    private func readPage(_ work: inout Work) async {
        guard let page = await takePage(&work) else {
            work.isOutboxRead = true
            return
        }
        work.isOutboxRead = page.isLast
        work.cursor = page.entries.last?.emission.sequence ?? work.cursor
        work.newest = max(work.newest, work.cursor)
        let now = clock.now()
        await watch(page.entries, &work, now: now)
        for entry in page.entries where !work.watch.held.contains(entry.emission.computationID) {
            var known = entry.known
            if case .update(let person, let update) = entry.mapping {
                work.acknowledged.update(&known, of: person, update.values.members)
            }
            work.queue.enqueue(
                entry.emission, entry.mapping, known: known,
                mayBeSent: entry.emission.sequence <= work.oldestCertain, now: now)
        }
        if !work.isOutboxRead, work.cursor == work.newest { readAhead(&work) }
    }

    /// The page after the cursor: the one read ahead, or else one as of everything that happened.
    private func takePage(_ work: inout Work) async -> Page? {
        let ahead = work.ahead
        work.ahead = nil
        if let ahead, let page = try? await ahead.value { return page }
        await flush(&work)
        work.acknowledged.removeAll()
        return await persistently("read the outbox", reading(after: work.cursor, work.hasJoined))
    }

    /// Only what was never read before may be read ahead: rows read again may be settled meanwhile.
    private func readAhead(_ work: inout Work) {
        work.acknowledged.turn(
            written: work.writing == nil ? work.writings : work.writings - 1,
            pending: work.unwritten.isEmpty ? work.writings : work.writings + 1)
        let reading = reading(after: work.cursor, work.hasJoined)
        work.ahead = Task { try await onThread(reading) }
    }

    private func reading(after cursor: Int64, _ hasJoined: Bool) -> @Sendable () throws -> Page {
        { [store, id = destination.id, limit = configuration.pageSize, adapter] in
            try Page(
                store: store, destinationID: id, after: cursor, limit: limit, adapter: adapter, hasJoined: hasJoined)
        }
    }

    // MARK: Spikes

    /// Counts changes, and holds or reports what is a spike.
    private func watch(_ entries: [Page.Entry], _ work: inout Work, now: Instant) async {
        guard work.watch.settings.mode != .off else { return }
        work.watch.count(entries.lazy.map(\.emission))
        guard !work.watch.uncounted.isEmpty else { return }
        var changes = DeliveryChanges(destinationID: destination.id, at: now)
        for id in work.watch.changed {
            // Most pages are far from being a spike; only then is it worth asking how large the audience is.
            guard work.watch.spike(of: id, ComputationFacts(members: 0, createdAt: .distantPast), now: now) != nil
            else { continue }
            let known = try? await onThread { [facts] in facts(id) }
            guard let spike = work.watch.spike(of: id, known ?? nil, now: now) else { continue }
            logger.warning(
                "spike", metadata: ["computation": "\(id)", "state": "\(spike.state)", "reason": "\(spike.reason)"])
            changes.spikes.append(spike)
        }
        changes.changeCounts = work.watch.takeUncounted()
        changes.acknowledgedValues = [RunnerMark.counted: .number(Int(work.watch.countedUpTo))]
        work.unwritten.append(changes)
        guard !changes.spikes.isEmpty else { return }
        work.watch.forget(before: now.hoursSinceEpoch)
        await flush(&work)
        await readSpikes(&work)
    }

    /// Takes over what the store says of spikes; what is held leaves the window, what was released is read again.
    private func readSpikes(_ work: inout Work) async {
        let (store, id) = (store, destination.id)
        let spikes = await persistently("read the spikes") { try store.spikes(destinationID: id) }
        guard let spikes else { return }
        let was = work.watch.held
        for computation in work.watch.adopt(spikes) { work.queue.drop(computation: computation) }
        if !was.isSubset(of: work.watch.held) {
            work.isOutboxRead = false
            work.cursor = 0
            work.ahead = nil
        }
    }

    // MARK: Records

    private func note(_ settlement: Settlement, attempt: AttemptRow?, _ work: inout Work) {
        guard !settlement.isEmpty || attempt != nil else { return }
        var changes = settlement.changes(destinationID: destination.id, attempt: attempt, now: clock.now())
        if settlement.hasJoined {
            if !work.hasJoined { changes.acknowledgedValues[RunnerMark.joined] = true }
            work.hasJoined = true
            // It was read when they were two.
            work.ahead = nil
        }
        if settlement.mustReread {
            work.isOutboxRead = false
            work.cursor = 0
        }
        work.unwritten.append(changes)
        // Where nothing is read ahead, the next page is read after everything is written.
        if work.ahead != nil { work.acknowledged.add(changes.ledger) }
    }

    /// Steps that may wait for a transaction before nothing more is sent.
    private static let mostUnwritten = 256

    /// Begins to write down what has happened, many steps in one transaction, unless an earlier one is under way. What is
    /// lost of it with the process is as if the process had died a moment earlier.
    private func write(_ work: inout Work) {
        guard work.writing == nil, !work.unwritten.isEmpty else { return }
        work.beingWritten = work.unwritten
        work.unwritten = []
        work.writings += 1
        work.writing = Task { [self, store, steps = work.beingWritten, number = work.writings] in
            await persistently("record delivery") { try store.record(steps) }
            mailbox.post { $0.written = number }
        }
    }

    private func endWriting(_ work: inout Work) {
        work.writing = nil
        work.beingWritten = []
        write(&work)
    }

    /// Writes down everything that has happened.
    private func flush(_ work: inout Work) async {
        write(&work)
        while let writing = work.writing {
            await writing.value
            endWriting(&work)
        }
    }

    private func recordPause(_ work: inout Work, _ group: inout DiscardingTaskGroup) async {
        let standstill = work.queue.standstill
        guard work.recordedPause != standstill?.reason else { return }
        work.recordedPause = standstill?.reason
        if let standstill {
            logger.warning("delivery paused", metadata: ["reason": "\(standstill.reason)"])
        } else {
            logger.info("delivery resumed")
        }
        if let reason = standstill?.reason, !adapter.alternatives.isEmpty, work.diagnosed != reason {
            group.addTask { [mailbox, sender, adapter] in
                let words = await Diagnosis(sender: sender).explain(reason, adapter.alternatives, adapter)
                if words != reason { mailbox.post { $0.diagnosis = (reason, words) } }
            }
            work.diagnosed = reason
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
