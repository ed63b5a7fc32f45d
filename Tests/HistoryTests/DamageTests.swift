import Foundation
import JSON
import Model
import TestSupport
import Testing

@testable import History

/// Goal: nothing that happens to the files makes an answer wrong. Either it is the right one, or the damage is told.
@Suite struct DamageTests {
    /// A directory with several run files, text files, a removal, and the answers that it gives.
    private func installation(_ random: inout SeededRandom, _ directory: String) throws -> [String] {
        let log = Deed.log(80, removals: false, &random)
        let history = try History(directory: directory)
        for (number, deed) in log.enumerated() {
            deed.apply(to: history)
            if number == 25 || number == 50 { try history.flush(position: Int64(number + 1), ids: ids(to: number + 1)) }
            if number == 55 { try history.merge(everything: true) }
        }
        history.remove(ProfileOrdinal(4))
        try history.flush(position: Int64(log.count))
        return answers(history)
    }

    /// Ids of the deeds so far, in the files one way or another.
    private func ids(to end: Int) -> [SeenID] {
        (0..<end).map { number in
            let hash = UInt64(number) &* 0x9E37_79B9_7F4A_7C15
            return SeenID(high: hash, low: ~hash, receivedAt: Int64(number))
        }
    }

    private func answers(_ history: History) -> [String] {
        let found = ids(to: 100).map { id in
            history.seenIDs.reversed().lazy.compactMap { $0.find(high: id.high, low: id.low) }.first
        }
        return history.picture() + found.map { "seen \(String(describing: $0))" }
    }

    @Test func `Corrupted files are found out before an answer leaves`() throws {
        let seed: UInt64 = 4_711
        let count = isLong ? 10_000 : 1_000
        print("corruptions, seed \(seed)")
        var random = SeededRandom(seed: seed)
        let directory = try TestDirectory()
        let expected = try installation(&random, directory.path)
        let files = directory.files
        let names = files.keys.sorted()
        #expect(names.count == 6)
        var found = (opening: 0, reading: 0, verifying: 0)
        for number in 0..<count {
            let name = random.pick(names)
            var corrupted = files
            let what = corrupt(&corrupted, name, &random)
            try directory.replace(with: corrupted)
            let history: History
            do { history = try History(directory: directory.path) } catch {
                found.opening += 1
                continue
            }
            if history.storedPosition == 0 {
                // Without a manifest there is nothing: everything comes from the Log.
                #expect(history.picture().count == 1 && history.seenIDs.isEmpty && name == Manifest.name)
                found.opening += 1
                continue
            }
            let answers = answers(history)
            if history.damage != nil {
                found.reading += 1
                continue
            }
            #expect(answers == expected, "corruption \(number), \(name): \(what)")
            history.verify()
            #expect(history.damage != nil, "corruption \(number) was not found: \(name): \(what)")
            found.verifying += 1
        }
        print("found when opening, reading, verifying: \(found)")
        #expect(found.opening > 0 && found.reading > 0)
        // The directory as it was opens as before.
        try directory.replace(with: files)
        #expect(try answers(History(directory: directory.path)) == expected)
    }

    private func corrupt(_ files: inout [String: Data], _ name: String, _ random: inout SeededRandom) -> String {
        guard var data = files[name] else { return "" }
        let place = random.below(data.count)
        let what: String
        switch random.below(10) {
        case 0:
            data.removeLast(data.count - place)
            what = "cut at \(place)"
        case 1:
            files[name] = nil
            return "deleted"
        case 2:
            data.append(UInt8(random.below(256)))
            what = "a byte more"
        case 3:
            let end = min(place + 1 + random.below(4096), data.count)
            let old = data[place..<end]
            let new = Data(repeating: 0, count: end - place)
            data.replaceSubrange(place..<end, with: old == new ? Data(repeating: 1, count: end - place) : new)
            what = "nought from \(place) to \(end)"
        case 4:
            let other = data
            let from = random.below(data.count)
            let length = min(64, data.count - max(from, place))
            data.replaceSubrange(place..<place + length, with: other[from..<from + length])
            if data == other { data[place] ^= 1 }
            what = "\(length) bytes from \(from) at \(place)"
        case 5:
            // Another file of the same kind in its place.
            let others = files.keys.filter { $0 != name && $0.hasSuffix(name.suffix(5)) }.sorted()
            if let other = others.first, let otherData = files[other] {
                data = otherData
                what = "\(other) in its place"
            } else {
                data[place] ^= 0x80
                what = "bit 7 of \(place)"
            }
        default:
            let bit = random.below(8)
            data[place] ^= 1 << UInt8(bit)
            what = "bit \(bit) of \(place)"
        }
        files[name] = data
        return what
    }

    /// What can be on disk when a flush or merge is killed at any point: old files, whole; new ones up to some byte; the
    /// new manifest under its first name up to some byte; or all is done but for deleting. Files are synchronised before
    /// the manifest gets its name, so nothing else can be.
    @Test func `A kill at any point of a flush or merge loses nothing`() throws {
        let seed: UInt64 = 815
        print("kills, seed \(seed)")
        var random = SeededRandom(seed: seed)
        let log = Deed.log(200, removals: false, &random)
        let expected = History.replaying(log).picture()
        let directory = try TestDirectory()
        var history = try History(directory: directory.path)
        var states = 0
        for (number, deed) in log.enumerated() {
            deed.apply(to: history)
            guard number % 40 == 39 else { continue }
            let before = directory.files
            if number % 80 == 79 {
                try history.merge(everything: true)
            } else {
                try history.flush(position: Int64(number + 1), ids: ids(to: number + 1))
            }
            let after = directory.files
            let new = after.keys.filter { before[$0] == nil && $0 != Manifest.name }.sorted()
            for _ in 0..<(isLong ? 400 : 60) {
                var state = before
                // Files are written one after the other.
                let reached = random.below(new.count + 2)
                for (index, name) in new.enumerated() where index <= reached {
                    guard let data = after[name] else { continue }
                    state[name] = index < reached ? data : data.prefix(random.below(data.count + 1))
                    // The header comes last.
                    if index == reached, let cut = state[name], random.chance(50) {
                        state[name] = Data(repeating: 0, count: min(64, cut.count)) + cut.dropFirst(64)
                    }
                }
                if reached >= new.count, let manifest = after[Manifest.name] {
                    if reached == new.count {
                        state[Manifest.name + ".new"] = manifest.prefix(random.below(manifest.count + 1))
                    } else {
                        state[Manifest.name] = manifest
                        for name in before.keys where after[name] == nil && random.chance(50) { state[name] = nil }
                    }
                }
                try directory.replace(with: state)
                let reopened = try History(directory: directory.path)
                for deed in log[Int(reopened.storedPosition)...] { deed.apply(to: reopened) }
                let seen = reopened.seenIDs
                #expect(
                    ids(to: Int(reopened.storedPosition)).allSatisfy { id in
                        seen.contains { $0.find(high: id.high, low: id.low) == id.receivedAt }
                    })
                #expect(reopened.picture() == expected, "after deed \(number), \(reached) of \(new.count) files")
                reopened.verify()
                #expect(reopened.damage == nil)
                states += 1
            }
            try directory.replace(with: after)
            history = try History(directory: directory.path)
            for deed in log[Int(history.storedPosition)..<number + 1] { deed.apply(to: history) }
        }
        #expect(states >= 300)
    }

    @Test func `A file of another version or another History is refused`() throws {
        var random = SeededRandom(seed: 3)
        let (one, other) = (try TestDirectory(), try TestDirectory())
        _ = try installation(&random, one.path)
        random = SeededRandom(seed: 3)
        _ = try installation(&random, other.path)
        var files = one.files
        let name = try #require(files.keys.first { $0.hasSuffix(".runs") })
        files[name] = other.files[name]
        try one.replace(with: files)
        #expect(throws: HistoryFileError.self) { try History(directory: one.path) }
        History.discardFiles(in: one.path)
        #expect(try History(directory: one.path).storedPosition == 0)
    }
}
