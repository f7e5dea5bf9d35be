import {expect} from 'chai'
import {parseCsv} from '../../../src/lib/nsight/csv.js'
import {readNsightPage} from '../../../src/lib/nsight/read-page.js'
import {nsightPage} from '../../support/nsight/nsight-files.js'

describe('Nsight Compute’s CSV', () => {
  it('is read cell by cell: quotes, doubled quotes, commas and line ends in cells, ragged records', () => {
    expect(parseCsv('"a","b ""c"", d"\r\n"e\nf",\n\n"g"')).to.deep.equal([
      ['a', 'b "c", d'],
      ['e\nf', ''],
      ['g'],
    ])
    expect(parseCsv('')).to.deep.equal([])
  })

  it('gives a launch a row of the raw page, and keeps the messages before it apart', () => {
    const {launches, messages} = readNsightPage(nsightPage('raw'))
    expect(messages).to.deep.equal(['==PROF== Connected to process 40112 (/usr/bin/python3.11)'])
    expect(launches.map(({pid, kernel}) => `${pid} ${kernel}`)).to.deep.equal([
      ...['40112 paged_attn_demo(float *, int)', '40112 topk_hist<8>(int *, unsigned int)'],
    ])
    expect(launches[0]!.metrics).to.deep.equal({
      'dram__bytes_read.sum': 8_912_896,
      'dram__bytes_write.sum': 262_144,
      'gpu__time_duration.sum': 41_568,
      launch__block_size: 128,
      launch__grid_size: 640,
      'sm__warps_active.avg.pct_of_peak_sustained_active': 61.25,
      'smsp__sass_inst_executed_op_atom.sum': 0,
    })
  })

  it('is brought to base units where the units row says others; n/a is null, separators go', () => {
    const [first, second] = readNsightPage(nsightPage('raw-scaled')).launches
    expect(first).to.deep.include({processName: 'app "quoted"', pid: 7})
    expect(first!.metrics).to.include({
      'dram__bytes_read.sum': 8_500_000,
      'dram__bytes_write.sum': 262_500,
      'gpu__time_duration.sum': 1_041_500,
      launch__grid_size: 1640,
      'sm__warps_active.avg.pct_of_peak_sustained_active': null,
    })
    expect(second!.metrics['dram__bytes_read.sum']).to.equal(null)
  })

  it('gives a launch the rows of the details page, which end after their value', () => {
    const {launches} = readNsightPage(nsightPage('details'))
    expect(launches.map(({metrics}) => metrics)).to.deep.equal([
      {
        'dram__bytes_read.sum': 8_912_896,
        'dram__bytes_write.sum': 262_144,
        'gpu__time_duration.sum': 41_568,
        launch__block_size: 128,
      },
      {'smsp__sass_inst_executed_op_atom.sum': 12_288, 'gpu__time_duration.sum': 7104},
    ])
  })

  it('has no launch where there is no table', () => {
    expect(readNsightPage('==ERROR== ERR_NVGPUCTRPERM\n').launches).to.deep.equal([])
    expect(readNsightPage('some program, that prints commas\n').launches).to.deep.equal([])
    expect(readNsightPage('').messages).to.deep.equal([])
  })
})
