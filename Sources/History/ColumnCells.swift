/// One column of a table, read row by row.
public struct ColumnCells {
    private let table: Table
    private let root: Table.Root
    private let column: Int
    @usableFromInline let fresh: ContiguousArray<Cell>
    @usableFromInline let leading: RunColumn?
    @usableFromInline let leadingBase: Int
    @usableFromInline let hasLeading: Bool

    init(
        table: Table, root: Table.Root, column: Int, fresh: ContiguousArray<Cell>, leading: RunColumn?,
        leadingBase: Int, hasLeading: Bool
    ) {
        self.table = table
        self.root = root
        self.column = column
        self.fresh = fresh
        self.leading = leading
        self.leadingBase = leadingBase
        self.hasLeading = hasLeading
    }

    @inlinable
    public subscript(row: Table.Row) -> Cell {
        if row < fresh.count { return fresh[row] }
        if hasLeading, row & ~0xFFFF_FFFF == leadingBase { return leading?.cell(row & 0xFFFF_FFFF) ?? .missing }
        return elsewhere(row)
    }

    @usableFromInline
    func elsewhere(_ row: Table.Row) -> Cell { table.cell(root, column: column, row: row) }
}
