export {checkYaml, parseYaml, readYamlFile, type YamlFile, type YamlPath} from './yaml-file.js'
export {settle, type Setting, type SettingSource} from './settle.js'
export {yamlText} from './yaml-text.js'
