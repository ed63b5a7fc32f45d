import Model
import Synchronization

/// Rows of one event name or one trait key, immutable, in columns, sorted by (profile, timestamp, receivedAt, message id).
///
/// A run lies in a mapped file or, for rows that are not on disk yet, in memory that looks the same. For scans:
///
/// * `profiles` — the ordinals that have rows here, ascending, each once (aliases of merged profiles are not resolved);
/// * `starts` — `profiles.count + 1` row numbers: the rows of `profiles[i]` are `starts[i]..<starts[i + 1]`;
/// * `timestamps` — milliseconds, one per row, ascending within a profile;
/// * `column(_:_:)` — by the table's column number (`Table.column(root, path)`): a `RunColumn`, or `nil` where every row
///   has nothing; `RunColumn` tells how its values stand;
/// * `removed` — profiles of `profiles` whose rows count no more (deleted people): skip them. Mostly empty;
/// * `floor` — rows before it count no more (they have expired): skip them. Mostly before `earliest`.
///
/// Ask `isSound` of the run once, and of each column that is read, before the first read: a `false` means that a file was
/// found damaged, which `History.damage` then tells; throw the answer away.
/// Codes of cells point into the `ValueStore` of the History that the run belongs to.
///
/// Sendable although it holds pointers: the memory is immutable and `sections` keep it in place.
public final class Run: @unchecked Sendable {
    public let rowCount: Int
    public let profiles: UnsafeBufferPointer<UInt32>
    public let starts: UnsafeBufferPointer<UInt32>
    public let timestamps: UnsafeBufferPointer<Int64>
    /// Milliseconds; of all rows.
    public let earliest: Int64
    public let latest: Int64
    public let removed: Set<UInt32>
    /// Milliseconds.
    public let floor: Int64
    private let hidden = Mutex<Int?>(nil)

    let descriptor: RunDescriptor
    /// The number of the file; 0 for memory.
    let file: Int
    private let core: CheckedSection
    private let envelope: CheckedSection
    private let identifiers: CheckedSection
    private let values: [RunColumn?]
    private let context: [RunColumn?]
    private let receipts: PackedIntegers
    private let offsets: PackedIntegers
    private let kinds: PackedIntegers
    private let sources: PackedIntegers

    /// `nil` if the memory can't hold what the descriptor says.
    init?(_ descriptor: RunDescriptor, in owner: StableBytes, file: Int, _ damage: DamageReport) {
        func section(_ place: SectionPlace) -> CheckedSection? {
            guard place.offset >= 0, place.length >= 0, place.offset % 8 == 0,
                place.offset <= owner.bytes.count, place.length <= owner.bytes.count - place.offset
            else { return nil }
            return CheckedSection(
                owner, place.offset..<place.offset + place.length, checksum: file == 0 ? nil : place.checksum, damage)
        }
        let (rows, people) = (descriptor.rowCount, descriptor.profileCount)
        guard rows > 0, people > 0, people <= rows, rows < Int(UInt32.max),
            let core = section(descriptor.core), let envelope = section(descriptor.envelope),
            let identifiers = section(descriptor.identifiers), core.bytes.count == Run.coreSize(rows, people),
            let coreBase = core.bytes.baseAddress, let base = envelope.bytes.baseAddress,
            identifiers.bytes.count >= Run.identifierSize(rows, hasTexts: descriptor.hasTextIDs)
        else { return nil }
        var offset = 0
        var packed: [PackedIntegers] = []
        for form in descriptor.integers {
            let size = form.byteCount(rows)
            guard [0, 1, 2, 4, 8].contains(form.width), size <= envelope.bytes.count - offset else { return nil }
            packed.append(PackedIntegers(values: base + offset, width: form.width, base: form.base))
            offset += size
        }
        guard packed.count == 4, offset == envelope.bytes.count else { return nil }
        (receipts, offsets, kinds, sources) = (packed[0], packed[1], packed[2], packed[3])
        var columns: [[RunColumn?]] = [[], []]
        for column in descriptor.columns {
            guard column.root < 2, column.number >= 0, column.number <= ColumnTree.maximumPaths + 1,
                let section = section(column.place),
                let made = RunColumn(
                    section, encoding: column.encoding, codedKind: column.codedKind, kinds: column.kinds,
                    rowCount: rows, valueCount: column.valueCount, dictionaryCount: column.dictionaryCount)
            else { return nil }
            while columns[column.root].count <= column.number { columns[column.root].append(nil) }
            columns[column.root][column.number] = made
        }
        (values, context) = (columns[0], columns[1])
        rowCount = rows
        profiles = UnsafeBufferPointer(start: coreBase.assumingMemoryBound(to: UInt32.self), count: people)
        let startsOffset = (people * 4 + 7) & ~7
        starts = UnsafeBufferPointer(
            start: (coreBase + startsOffset).assumingMemoryBound(to: UInt32.self), count: people + 1)
        let timesOffset = startsOffset + ((people + 1) * 4 + 7) & ~7
        timestamps = UnsafeBufferPointer(
            start: (coreBase + timesOffset).assumingMemoryBound(to: Int64.self), count: rows)
        earliest = descriptor.earliest
        latest = descriptor.latest
        removed = []
        floor = .min
        self.descriptor = descriptor
        self.file = file
        self.core = core
        self.envelope = envelope
        self.identifiers = identifiers
    }

    private init(_ run: Run, removed: Set<UInt32>, floor: Int64) {
        rowCount = run.rowCount
        profiles = run.profiles
        starts = run.starts
        timestamps = run.timestamps
        earliest = run.earliest
        latest = run.latest
        descriptor = run.descriptor
        file = run.file
        core = run.core
        envelope = run.envelope
        identifiers = run.identifiers
        values = run.values
        context = run.context
        receipts = run.receipts
        offsets = run.offsets
        kinds = run.kinds
        sources = run.sources
        self.removed = removed
        self.floor = floor
    }

    /// The same run without a profile's rows.
    func removing(_ profiles: Set<UInt32>) -> Run { Run(self, removed: removed.union(profiles), floor: floor) }

    /// The same run without the rows before a time.
    func hiding(below floor: Int64) -> Run {
        floor <= max(self.floor, earliest) ? self : Run(self, removed: removed, floor: floor)
    }

    static func coreSize(_ rows: Int, _ people: Int) -> Int {
        (people * 4 + 7) & ~7 + ((people + 1) * 4 + 7) & ~7 + rows * 8
    }

    static func identifierSize(_ rows: Int, hasTexts: Bool) -> Int { rows * 16 + (hasTexts ? (rows + 63) / 64 * 8 : 0) }

    // MARK: Reading

    /// Whether boundaries and times are what was written; looks when it is first asked.
    public var isSound: Bool { core.isSound }

    /// Looks at every section now.
    func verify() -> Bool {
        var isSound = core.isSound && envelope.isSound && identifiers.isSound
        for column in values + context { if let column, !column.isSound { isSound = false } }
        return isSound
    }

    /// The column of the table with this number; `nil` where every row has nothing.
    public func column(_ root: Table.Root, _ number: Int) -> RunColumn? {
        let columns = root == .value ? values : context
        return number < columns.count ? columns[number] : nil
    }

    /// The numbers of the columns that are here.
    func columnNumbers(_ root: Table.Root) -> [Int] {
        let columns = root == .value ? values : context
        return columns.indices.filter { columns[$0] != nil }
    }

    /// The rows of a profile that count; empty for removed ones.
    func rows(of profile: UInt32) -> Range<Int> {
        keptRows(storedRows(of: profile))
    }

    /// Whether some of its rows have expired.
    var holdsExpired: Bool { earliest < floor }

    /// Of a profile's rows those that have not expired.
    func keptRows(_ rows: Range<Int>) -> Range<Int> { holdsExpired ? self.rows(rows, from: floor) : rows }

    /// Of a profile's rows those that are not before a time.
    func rows(_ rows: Range<Int>, from time: Int64) -> Range<Int> {
        var low = rows.lowerBound
        var high = rows.upperBound
        while low < high {
            let middle = (low + high) / 2
            if timestamps[middle] < time { low = middle + 1 } else { high = middle }
        }
        return low..<rows.upperBound
    }

    /// How many rows have expired, those of removed profiles left out. Looks at all times when it is first asked.
    var hiddenCount: Int {
        guard holdsExpired else { return 0 }
        if let known = hidden.withLock({ $0 }) { return known }
        guard core.isSound else { return 0 }
        var count = 0
        if latest < floor { count = rowCount } else { for time in timestamps where time < floor { count += 1 } }
        for profile in removed {
            let rows = findRows(of: profile)
            count -= keptRows(rows).lowerBound - rows.lowerBound
        }
        hidden.withLock { $0 = count }
        return count
    }

    /// The rows of a profile, also expired ones; empty for removed ones.
    func storedRows(of profile: UInt32) -> Range<Int> {
        guard removed.isEmpty || !removed.contains(profile) else { return 0..<0 }
        return findRows(of: profile)
    }

    private func findRows(of profile: UInt32) -> Range<Int> {
        guard core.isSound else { return 0..<0 }
        let place = SortedNumbers.firstIndex(notBelow: profile, in: profiles)
        guard place < profiles.count, profiles[place] == profile else { return 0..<0 }
        return Int(starts[place])..<Int(starts[place + 1])
    }

    /// The profile that a row belongs to.
    func profile(_ row: Int) -> UInt32 {
        var low = 0
        var high = profiles.count
        while low < high {
            let middle = (low + high) / 2
            if Int(starts[middle + 1]) <= row { low = middle + 1 } else { high = middle }
        }
        return low < profiles.count ? profiles[low] : 0
    }

    func receivedAt(_ row: Int) -> Int64 { envelope.isSound ? timestamps[row] &+ receipts[row] : 0 }
    func offset(_ row: Int) -> Int64 { envelope.isSound ? offsets[row] : 0 }
    func kind(_ row: Int) -> UInt8 { envelope.isSound ? UInt8(truncatingIfNeeded: kinds[row]) : 0 }
    func source(_ row: Int) -> UInt32 { envelope.isSound ? UInt32(truncatingIfNeeded: sources[row]) : 0 }

    /// The codes of all sources that occur.
    var distinctSources: Set<UInt32> {
        guard envelope.isSound, sources.width > 0 else { return [source(0)] }
        var found: Set<UInt32> = []
        var last: UInt32?
        for row in 0..<rowCount where source(row) != last {
            last = source(row)
            found.insert(source(row))
        }
        return found
    }

    /// The message id of a row: a UUID's 16 bytes, or a text.
    func messageID(_ row: Int) -> StoredID {
        guard identifiers.isSound else { return .uuid(0, 0) }
        let bytes = identifiers.bytes
        let high = bytes.loadUnaligned(fromByteOffset: row * 16, as: UInt64.self)
        let low = bytes.loadUnaligned(fromByteOffset: row * 16 + 8, as: UInt64.self)
        let bitmap = rowCount * 16
        guard descriptor.hasTextIDs,
            bytes.loadUnaligned(fromByteOffset: bitmap + row / 64 * 8, as: UInt64.self) >> UInt64(row % 64) & 1 == 1
        else { return .uuid(high, low) }
        let texts = Run.identifierSize(rowCount, hasTexts: true)
        guard high <= UInt64(bytes.count), low <= UInt64(bytes.count) - high, texts + Int(high + low) <= bytes.count
        else { return .uuid(0, 0) }
        let start = texts + Int(high)
        let text = UnsafeRawBufferPointer(rebasing: bytes[start..<start + Int(low)])
        return .text(text.assumingMemoryBound(to: UInt8.self))
    }
}

/// Whole numbers in the fewest bytes: each is `base` plus what stands there.
struct PackedIntegers {
    let values: UnsafeRawPointer
    let width: Int
    let base: Int64

    @inline(__always)
    subscript(row: Int) -> Int64 {
        switch width {
        case 0: base
        case 1: base &+ Int64(values.load(fromByteOffset: row, as: UInt8.self))
        case 2: base &+ Int64(values.load(fromByteOffset: row &* 2, as: UInt16.self))
        case 4: base &+ Int64(values.load(fromByteOffset: row &* 4, as: UInt32.self))
        default: base &+ values.load(fromByteOffset: row &* 8, as: Int64.self)
        }
    }
}

/// Where a section of a file stands.
struct SectionPlace: Equatable {
    var offset = 0
    var length = 0
    var checksum: UInt64 = 0
}

/// What a file's directory says about a run.
struct RunDescriptor: Equatable {
    struct Integers: Equatable {
        var width = 0
        var base: Int64 = 0

        /// A multiple of 8.
        func byteCount(_ rows: Int) -> Int { (rows * width + 7) & ~7 }
    }

    struct Column: Equatable {
        var root = 0
        var number = 0
        var encoding = RunColumn.Encoding.constant
        var codedKind = Cell.Kind.missing
        var kinds: UInt16 = 0
        var valueCount = 0
        var dictionaryCount = 0
        var place = SectionPlace()
    }

    var isTrait = false
    /// Of the event name or trait key.
    var table: UInt32 = 0
    var rowCount = 0
    var profileCount = 0
    var earliest: Int64 = 0
    var latest: Int64 = 0
    var hasTextIDs = false
    var core = SectionPlace()
    var envelope = SectionPlace()
    var identifiers = SectionPlace()
    /// Receipts after timestamps, offsets, kinds, sources.
    var integers: [Integers] = []
    var columns: [Column] = []
}
